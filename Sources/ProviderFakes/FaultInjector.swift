internal import HTTP

/// Decides, request by request, what goes wrong. The n-th request's fate is a function of the seed and n.
public final class FaultInjector: Sendable {
  /// How a provider is down.
  public enum Outage: String, Sendable {
    /// 503, nothing done.
    case unavailable
    /// Connections close without a reply, nothing done.
    case dropped
    /// Connections are taken, and never answered; nothing done.
    case silent
  }

  /// The fate of one request.
  struct Decision: Sendable, Equatable {
    enum Before: Sendable, Equatable {
      case outage(Outage)
      case tooManyRequests(retryAfter: Duration)
      case error
      case reset
    }
    enum After: Sendable, Equatable { case error, reset, garbage }

    /// What happens instead of the effect.
    var before: Before?
    /// What happens to the reply, once the effect has happened.
    var after: After?
    /// How much longer it takes.
    var delay: Duration = .zero
    /// Whether the effect comes before the wait: a client that gave up meanwhile has had its effect early, or late.
    var effectBeforeDelay = true

    /// For records; nil where nothing goes wrong.
    var name: String? {
      switch (before, after) {
      case (.outage, _): FaultSpec.Kind.outage.rawValue
      case (.tooManyRequests, _): FaultSpec.Kind.tooManyRequests.rawValue
      case (.error, _): FaultSpec.Kind.errorBefore.rawValue
      case (.reset, _): FaultSpec.Kind.resetBefore.rawValue
      case (nil, .error): FaultSpec.Kind.errorAfter.rawValue
      case (nil, .reset): FaultSpec.Kind.resetAfter.rawValue
      case (nil, .garbage): FaultSpec.Kind.garbage.rawValue
      case (nil, nil): delay > .zero ? FaultSpec.Kind.slow.rawValue : nil
      }
    }
  }

  private struct State {
    var spec: FaultSpec
    var requests: UInt64 = 0
    /// Switched on from outside, until it is switched off.
    var outage: Outage?
    /// The end of an outage that the specification drew.
    var outageEnd: ContinuousClock.Instant?
  }

  private let state: Locked<State>

  public init(_ spec: FaultSpec = .none) { state = Locked(State(spec: spec)) }

  /// Replaces the specification; the count of requests starts anew, and a drawn outage ends.
  public func setSpec(_ spec: FaultSpec) {
    state.withLock { state in
      state.spec = spec
      state.requests = 0
      state.outageEnd = nil
    }
  }

  /// Switches an outage on, or off (`nil`, which also ends one that was drawn).
  public func setOutage(_ outage: Outage?) {
    state.withLock { state in
      state.outage = outage
      if outage == nil { state.outageEnd = nil }
    }
  }

  func decide() -> Decision {
    state.withLock { state in
      state.requests += 1
      if let outage = state.outage { return Decision(before: .outage(outage)) }
      if let end = state.outageEnd {
        if ContinuousClock.now < end { return Decision(before: .outage(.unavailable)) }
        state.outageEnd = nil
      }
      var decision = Decision()
      // All draws are made, so that one fault's probability does not move the others' fates.
      for fault in state.spec.faults {
        guard draw(state.spec.seed, state.requests, fault.kind.rawValue) < fault.probability else { continue }
        switch fault.kind {
        case .outage:
          state.outageEnd = ContinuousClock.now + (fault.duration ?? .seconds(10))
          decision.before = .outage(.unavailable)
        case .tooManyRequests:
          decision.before = decision.before ?? .tooManyRequests(retryAfter: fault.duration ?? .seconds(1))
        case .errorBefore: decision.before = decision.before ?? .error
        case .resetBefore: decision.before = decision.before ?? .reset
        case .errorAfter: decision.after = decision.after ?? .error
        case .resetAfter: decision.after = decision.after ?? .reset
        case .garbage: decision.after = decision.after ?? .garbage
        case .slow:
          decision.delay = fault.duration ?? .seconds(1)
          decision.effectBeforeDelay = draw(state.spec.seed, state.requests, "slow effect") < 0.5
        }
      }
      return decision
    }
  }

  /// Uniform in [0, 1): SplitMix64's mixing over seed, request and purpose.
  private func draw(_ seed: UInt64, _ request: UInt64, _ purpose: String) -> Double {
    var value = seed &+ request &* 0x9E37_79B9_7F4A_7C15
    for byte in purpose.utf8 { value = mix(value ^ UInt64(byte)) }
    return Double(mix(value) >> 11) / Double(1 << 53)
  }

  private func mix(_ input: UInt64) -> UInt64 {
    var value = input &+ 0x9E37_79B9_7F4A_7C15
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}
