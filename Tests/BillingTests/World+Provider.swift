import Billing
import Metering

/// The provider: what it answers, what has effect, and what it saw.
extension World {
  func transmit(
    _ id: RequestID, _ request: ProviderRequest, _ life: Life, _ timeout: Int64, _ connectTimeout: Int64,
    _ notAfter: Int64
  ) {
    let keys = String(decoding: request.body, as: UTF8.self).split(separator: "\n").map(String.init)
    starts.append(now)
    let lanes = keys.compactMap { rowsByKey[$0] }.map { String(decoding: $0.customer, as: UTF8.self) }
    if setup.contract.isSerialPerCustomerAndMeter {
      for lane in lanes where !life.lanes.insert(lane).inserted { problems.append("two in flight for \(lane)") }
    }
    let reply: (Int64, ProviderReply) -> Void = { [self] time, reply in
      at(time) { [self] in
        life.lanes.subtract(lanes)
        give(life, .reply(id, reply))
      }
    }
    // A stop between the machine's decision and the shell's last look at the clock.
    let handover = now + (now < calmFrom && chance(2) ? between(0...100_000) : 0)
    at(handover) { [self] in
      guard life.isAlive else { return }
      guard now <= notAfter else { return reply(now, .notSent(code: "lease_over")) }
      let firstByte = now + between(0...min(connectTimeout, 200))
      for key in keys where firstByte > (life.askedAt[key] ?? 0) + 60_000 {
        problems.append("\(key): first byte after its lease")
      }
      serve(keys, firstByte, timeout, reply)
    }
  }

  func serve(
    _ keys: [String], _ firstByte: Int64, _ timeout: Int64, _ reply: @escaping (Int64, ProviderReply) -> Void
  ) {
    let isCalm = now >= calmFrom
    let end = firstByte + between(5...300)
    if let outage = setup.outage, outage.contains(now) {
      note(keys)
      return reply(end, .response(.init(status: 503)))
    }
    switch isCalm ? 99 : Int.random(in: 0..<100, using: &random) {
    case 0..<6: return reply(firstByte, .notSent(code: "connect"))
    case 6..<12: return reply(end, .response(.init(status: 429, headers: [.init("Retry-After", "\(between(0...5))")])))
    case 12..<14: return reply(end, .response(.init(status: 401)))
    case 14..<18:
      note(keys)
      return reply(end, .response(.init(status: 503)))
    case 18..<26:
      at(end) { [self] in book(keys) }
      return reply(end, chance(50) ? .response(.init(status: 500)) : .ambiguous(code: "reset"))
    case 26..<30:
      // It goes on to work on it until the time-out, and even then it may have its effect.
      let happens = chance(50)
      let when = firstByte + between(0...timeout)
      note(keys)
      if happens { at(when) { [self] in book(keys, noted: true) } }
      return reply(firstByte + timeout, .ambiguous(code: "timeout"))
    case 30..<33:
      return reply(end, .response(.init(status: 423)))
    default:
      at(end) { [self] in
        let known = book(keys)
        reply(now, .response(.init(status: known && keys.count == 1 ? 208 : 200)))
      }
    }
  }

  func note(_ keys: [String]) { for key in keys { attempts[key, default: 0] += 1 } }

  /// Returns whether all keys were known.
  @discardableResult
  func book(_ keys: [String], noted: Bool = false) -> Bool {
    if !noted { note(keys) }
    var known = true
    for key in keys {
      if let window = setup.providerWindow, let first = firstEffect[key], now - first < window { continue }
      known = false
      effects[key, default: 0] += 1
      if firstEffect[key] == nil { firstEffect[key] = now }
    }
    return known
  }
}
