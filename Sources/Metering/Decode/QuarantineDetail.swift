/// What exactly was wrong with an event, and where: the text of the quarantine's `meterd_detail`, for people.
///
/// It is kept as numbers, and written when it is asked for: a stream of bad events makes no string for each.
public struct QuarantineDetail: Sendable, CustomStringConvertible {
  /// A text that says all of it; nil: it is made of the others.
  private var text: StaticString?
  private var concept: Int
  /// The byte of the record's value at which it was noticed, or −1 (missing, in a header, or the record as a whole).
  public private(set) var position: Int
  private var dimension: [UInt8]?

  /// About a place of the record.
  init(concept: Int = -1, position: Int = -1, dimension: [UInt8]? = nil) {
    self.concept = concept
    self.position = position
    self.dimension = dimension
  }

  /// A text that is part of the program.
  public init(_ text: StaticString) {
    self.init()
    self.text = text
  }

  /// Why an event conflicts with an earlier one.
  static var keyConflict: Self {
    Self(
      "an earlier event in the window has this source and key, but another customer, feature, quantity, revert or dimensions"
    )
  }

  private var conceptName: StaticString? {
    switch concept {
    case Concept.key: "key"
    case Concept.customer: "customer"
    case Concept.feature: "feature"
    case Concept.source: "source"
    case Concept.quantity: "quantity"
    case Concept.revert: "revert"
    case Concept.time: "time"
    default: nil
    }
  }

  /// Calls `body` with the text in UTF-8, which is gone afterwards: `customer at byte 57`, `time`, `byte 12`, `record`.
  ///
  /// It returns nothing: other modules would call a generic function unspecialized, for every bad event.
  public func withUTF8(_ body: (UnsafeRawBufferPointer) -> Void) {
    if let text { return body(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)) }
    // No concept's name and no number is longer than 20 bytes.
    withUnsafeTemporaryAllocation(byteCount: 64 + (dimension?.count ?? 0), alignment: 1) { room in
      var line = LineWriter(room: room)
      if let dimension {
        line.add("dimension ")
        dimension.withUnsafeBytes { line.add($0) }
      } else if let conceptName {
        line.add(conceptName)
      }
      if position >= 0 {
        line.add(line.count > 0 ? " at byte " : "byte ")
        line.add(Int64(position))
      } else if line.count == 0 {
        line.add("record")
      }
      body(line.bytes)
    }
  }

  /// The text.
  public var description: String {
    var text = ""
    withUTF8 { text = String(decoding: $0, as: UTF8.self) }
    return text
  }
}
