/// The billing providers that a sink may name.
public enum SinkProvider: String, Sendable, CaseIterable {
  case stripe
  case stripeV2 = "stripe_v2"
  case metronome, lago, openmeter, orb, polar, flexprice, m3ter, revstack, billingos, crovver, revnu, webhook, log

  /// Whether this version can deliver to it; the others are known names for later ones.
  public var isImplemented: Bool {
    switch self {
    case .stripe, .webhook, .log: true
    default: false
    }
  }

  /// `stripe, webhook, log`.
  static let implementedNames = allCases.filter(\.isImplemented).map(\.rawValue).joined(separator: ", ")
}
