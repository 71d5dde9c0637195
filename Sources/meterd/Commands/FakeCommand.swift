internal import Daemon
internal import Foundation
internal import HTTP
internal import ProviderFakes

/// `meterd fake`: a provider's stand-in until it is told to stop; then what it booked.
///
/// WEBHOOK_SECRET in the environment is the secret that the webhook's fake checks signatures with; STRIPE_SECRET_KEY the
/// only key that Stripe's takes. Without them any will do.
enum FakeCommand {
  static func run(_ command: ParsedCommand) throws {
    let provider = command.argument(0)
    var options = FakeServerOptions(recordFile: command.optionalText("--record"))
    if let text = command.optionalText("--faults") {
      do throws(FaultSpecError) {
        options.faults = try FaultSpec(parsing: text)
      } catch {
        throw CommandFailure(.usage, "--faults: \(error)")
      }
    }
    let fake: (any ProviderFake)?
    do throws(RecordFileError) {
      fake = try FakeCatalog.make(provider: provider, server: options, secret: secret(of: provider))
    } catch {
      throw CommandFailure(.unavailable, error.description)
    }
    guard let fake else {
      throw CommandFailure(
        .usage, "there is no fake of \(provider); there is: \(FakeCatalog.providers.joined(separator: ", "))")
    }
    let address = command.text("--listen")
    do throws(HTTPServerError) {
      try fake.start(listen: address)
    } catch {
      throw CommandFailure(.unavailable, "--listen: \(error)")
    }
    let signals = StopSignals()
    Terminal.note("\(provider) fake on \(fake.baseURL); totals at /_fake/totals; stop with Ctrl-C")
    Terminal.note("a sink for it: \(sinkExample(provider, fake.baseURL))")
    let variable = variable(of: provider)
    Terminal.note(
      secret(of: provider) == nil
        ? "any secret will do: \(variable) sets the one it takes" : "it takes the secret in \(variable), and no other")
    _ = signals.wait()
    fake.stop()
    let effects = fake.effects
    Terminal.note(
      "\(effects.requests) requests, \(effects.keyCount) keys booked, \(effects.duplicates) duplicates recognised, "
        + "\(effects.refusals) refused, \(effects.violations.count) violations")
    if let failure = effects.recordFailure {
      throw CommandFailure(.unavailable, "the record file is incomplete: \(failure)")
    }
  }

  /// What a configuration says to bill to the fake.
  private static func sinkExample(_ provider: String, _ url: String) -> String {
    // Within { } a variable stands in quotes: its braces are YAML's.
    let known = secret(of: provider).map { _ in "\"${\(variable(of: provider))}\"" }
    return switch provider {
    case "webhook":
      "{ name: trial, provider: webhook, url: \(url)/usage, secret: \(known ?? "whsec_trial"), idempotency_window: 7d }"
    default: "{ name: trial, provider: \(provider), base_url: \(url), secret_key: \(known ?? "sk_live_trial") }"
    }
  }

  private static func variable(of provider: String) -> String {
    provider == "stripe" ? "STRIPE_SECRET_KEY" : "WEBHOOK_SECRET"
  }

  private static func secret(of provider: String) -> String? {
    ProcessInfo.processInfo.environment[variable(of: provider)].flatMap { $0.isEmpty ? nil : $0 }
  }
}
