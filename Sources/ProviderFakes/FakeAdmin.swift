internal import Foundation
internal import HTTP

/// The fake's own paths, for tests in other processes.
extension FakeHost {
  func answerAdmin(_ request: ServerRequest) -> ServerResponse {
    switch (request.method, request.path) {
    case ("GET", "/_fake/totals"): totalsReply()
    case ("GET", "/_fake/violations"): violationsReply()
    case ("GET", "/_fake/effects"):
      request.query("key").map { key in
        .json(200, JSONText.object([("key", .string(key)), ("effects", .int(effects.effects(ofKey: key)))]).bytes)
      } ?? problem(400, "give the key: /_fake/effects?key=K")
    case ("POST", "/_fake/outage"): setOutage(request)
    case ("POST", "/_fake/faults"): setFaults(request)
    default: problem(404, "no such admin path: \(request.method) \(request.path)")
    }
  }

  private func totalsReply() -> ServerResponse {
    let totals = effects.totals().map { total in
      JSONText.object([
        ("customer", .string(total.customer)), ("meter", .string(total.meter)),
        ("value", .string(total.value.description)),
      ])
    }
    return .json(
      200,
      JSONText.object([
        ("totals", .array(totals)), ("violations", .int(effects.violations.count)),
        ("requests", .int(effects.requests)), ("keys", .int(effects.keyCount)),
        ("duplicates", .int(effects.duplicates)), ("refusals", .int(effects.refusals)),
      ]).bytes)
  }

  private func violationsReply() -> ServerResponse {
    let items = effects.violations.map { violation in
      JSONText.object([
        ("kind", .string(violation.kind.rawValue)), ("key", .string(violation.key)),
        ("detail", .string(violation.detail)),
      ])
    }
    return .json(200, JSONText.object([("violations", .array(items))]).bytes)
  }

  private struct OutageBody: Decodable {
    let on: Bool
    let mode: String?
  }

  private func setOutage(_ request: ServerRequest) -> ServerResponse {
    guard let body = try? JSONDecoder().decode(OutageBody.self, from: Data(request.body)) else {
      return problem(400, "send {\"on\": true|false, \"mode\": \"unavailable|dropped|silent\"}")
    }
    guard let mode = FaultInjector.Outage(rawValue: body.mode ?? "unavailable") else {
      return problem(400, "mode is one of unavailable, dropped, silent")
    }
    faults.setOutage(body.on ? mode : nil)
    return .json(200, JSONText.object([("on", .bool(body.on)), ("mode", .string(mode.rawValue))]).bytes)
  }

  private struct FaultsBody: Decodable {
    let spec: String
  }

  private func setFaults(_ request: ServerRequest) -> ServerResponse {
    guard let body = try? JSONDecoder().decode(FaultsBody.self, from: Data(request.body)) else {
      return problem(400, "send {\"spec\": \"name:probability[@duration],…,seed:N\"}")
    }
    do throws(FaultSpecError) {
      faults.setSpec(try FaultSpec(parsing: body.spec))
      return .json(200, JSONText.object([("spec", .string(body.spec))]).bytes)
    } catch {
      return problem(400, error.description)
    }
  }

  private func problem(_ status: Int, _ text: String) -> ServerResponse {
    .json(status, JSONText.object([("error", .string(text))]).bytes)
  }
}
