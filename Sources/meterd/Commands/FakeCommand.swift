internal import Daemon
internal import HTTP
internal import ProviderFakes

/// `meterd fake`: a provider's stand-in until it is told to stop; then what it booked.
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
      fake = try FakeCatalog.make(provider: provider, server: options)
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
      throw CommandFailure(.unavailable, "cannot listen on \(address): \(error)")
    }
    let signals = StopSignals()
    Terminal.note("\(provider) fake on \(fake.baseURL); totals at /_fake/totals; stop with Ctrl-C")
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
}
