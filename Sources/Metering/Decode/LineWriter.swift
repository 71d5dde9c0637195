/// Writes text into memory of the caller's, without allocating. The room has to be large enough: less is a trap.
public struct LineWriter {
  /// The most bytes of a number.
  public static let mostDigits = 20

  private let room: UnsafeMutableRawBufferPointer
  /// Bytes written.
  public private(set) var count = 0

  /// A writer of nothing yet.
  public init(room: UnsafeMutableRawBufferPointer) { self.room = room }

  /// What was written.
  public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: room[..<count]) }

  /// Adds bytes.
  public mutating func add(_ bytes: UnsafeRawBufferPointer) {
    // In a release build the buffer checks no bounds of its own.
    precondition(bytes.count <= room.count - count, "the line is longer than its room")
    UnsafeMutableRawBufferPointer(rebasing: room[count..<count + bytes.count]).copyMemory(from: bytes)
    count += bytes.count
  }

  /// Adds a text that is part of the program.
  public mutating func add(_ text: StaticString) {
    add(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Adds a number in decimal: at most ``mostDigits`` bytes.
  public mutating func add(_ number: Int64) {
    var digits = 1
    var rest = number.magnitude / 10
    while rest > 0 {
      digits += 1
      rest /= 10
    }
    let length = digits + (number < 0 ? 1 : 0)
    precondition(length <= room.count - count, "the line is longer than its room")
    if number < 0 { room[count] = UInt8(ascii: "-") }
    count += length
    // From the last digit on.
    rest = number.magnitude
    for place in 1...digits {
      room[count - place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
  }
}
