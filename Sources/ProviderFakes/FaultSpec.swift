/// Faults on demand, as text: `name:probability[@duration],…,seed:N`.
///
/// Example: `429:0.1@2s,reset_after:5%,slow:0.05@300ms,seed:7`. A probability is a decimal from 0 to 1 or a percentage;
/// a duration is a whole number with `ms`, `s`, `m` or `h`. Each name at most once.
public struct FaultSpec: Sendable, Equatable {
  /// What can go wrong. *before* and *after* are relative to the effect at the provider.
  public enum Kind: String, Sendable, CaseIterable {
    /// 429, nothing done. The duration is its `Retry-After` (whole seconds; default 1 s).
    case tooManyRequests = "429"
    /// 500, nothing done.
    case errorBefore = "500_before"
    /// The effect happens, then 500.
    case errorAfter = "500_after"
    /// The connection is reset, nothing done.
    case resetBefore = "reset_before"
    /// The effect happens, then the connection closes without a reply.
    case resetAfter = "reset_after"
    /// The reply takes the duration longer (default 1 s); the effect comes before or after the wait.
    case slow
    /// The effect happens, the reply's status is right, its body is not to be read.
    case garbage
    /// From this request on, for the duration (default 10 s), everything is answered with 503 and nothing done.
    case outage
  }

  /// One fault with its chance at each request.
  public struct Fault: Sendable, Equatable {
    public var kind: Kind
    /// 0 … 1.
    public var probability: Double
    /// What it means depends on the kind.
    public var duration: Duration?

    public init(_ kind: Kind, probability: Double, duration: Duration? = nil) {
      self.kind = kind
      self.probability = probability
      self.duration = duration
    }
  }

  public var faults: [Fault]
  /// The same seed and the same order of requests give the same faults.
  public var seed: UInt64

  public init(_ faults: [Fault] = [], seed: UInt64 = 1) {
    self.faults = faults
    self.seed = seed
  }

  /// No faults.
  public static let none = FaultSpec()

  /// Reads the text form. The empty text is no faults.
  public init(parsing text: String) throws(FaultSpecError) {
    self.init()
    guard !text.isEmpty else { return }
    var hasSeed = false
    for item in text.split(separator: ",", omittingEmptySubsequences: false) {
      let parts = item.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { throw .missingValue(item: String(item)) }
      let name = String(parts[0])
      if name == "seed" {
        guard !hasSeed else { throw .repeated(name: name) }
        guard let value = UInt64(parts[1]) else { throw .invalidSeed(String(parts[1])) }
        seed = value
        hasSeed = true
        continue
      }
      guard let kind = Kind(rawValue: name) else { throw .unknownFault(name) }
      guard !faults.contains(where: { $0.kind == kind }) else { throw .repeated(name: name) }
      let values = parts[1].split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
      guard let probability = Self.probability(values[0]) else {
        throw .invalidProbability(fault: name, found: String(values[0]))
      }
      var duration: Duration?
      if values.count == 2 {
        guard let value = Self.duration(values[1]) else {
          throw .invalidDuration(fault: name, found: String(values[1]))
        }
        duration = value
      }
      faults.append(Fault(kind, probability: probability, duration: duration))
    }
  }

  private static func probability(_ text: Substring) -> Double? {
    let isPercent = text.hasSuffix("%")
    let digits = isPercent ? text.dropLast() : text
    guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }), let value = Double(digits)
    else { return nil }
    let probability = isPercent ? value / 100 : value
    return (0...1).contains(probability) ? probability : nil
  }

  private static func duration(_ text: Substring) -> Duration? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    // 10⁹ of the largest unit is beyond any use, and far from overflow.
    guard let value = Int64(digits), value <= 1_000_000_000 else { return nil }
    switch text[digits.endIndex...] {
    case "ms": return .milliseconds(value)
    case "s": return .seconds(value)
    case "m": return .seconds(value * 60)
    case "h": return .seconds(value * 3600)
    default: return nil
    }
  }
}

/// What is wrong with a fault specification.
public enum FaultSpecError: Error, Sendable, Equatable, CustomStringConvertible {
  case missingValue(item: String)
  case unknownFault(String)
  case invalidProbability(fault: String, found: String)
  case invalidDuration(fault: String, found: String)
  case invalidSeed(String)
  case repeated(name: String)

  public var description: String {
    switch self {
    case .missingValue(let item): "fault \"\(item)\": write name:probability[@duration], as in 429:0.1@2s"
    case .unknownFault(let name):
      "unknown fault \"\(name)\": one of \(FaultSpec.Kind.allCases.map(\.rawValue).joined(separator: ", ")), or seed"
    case .invalidProbability(let fault, let found):
      "fault \(fault): \"\(found)\" is not a probability: write 0 … 1 or a percentage, as in 0.05 or 5%"
    case .invalidDuration(let fault, let found):
      "fault \(fault): \"\(found)\" is not a duration: write a whole number with ms, s, m or h, as in 300ms"
    case .invalidSeed(let found): "seed \"\(found)\": write a whole number from 0 to 2^64 - 1"
    case .repeated(let name): "\"\(name)\" is given twice: give it once"
    }
  }
}
