internal import CHotPath

/// The tokens of one JSON text, validated to the last byte (RFC 8259, UTF-8, at most 64 levels), in memory that is
/// reused from record to record.
///
/// An object's tokens are its own, then name and value in turn; an array's its own, then its values. Owns its token
/// memory, which is why it is not copyable; the pointers are unsafe for speed and never leave this type.
struct JSONTape: ~Copyable {
  enum Kind: UInt8 { case object, array, string, number, `true`, `false`, null }

  struct Token {
    /// The content of a string, without the quotation marks; the whole text of anything else.
    var start: UInt32
    var end: UInt32
    /// The index of the token after this one and all that it holds.
    var next: UInt32
    var kind: Kind
    /// Whether a string holds a backslash.
    var isEscaped: Bool
  }

  /// Objects and arrays inside each other; the outermost is the first.
  static let maximumDepth = 64
  /// A token takes a byte and a separator, but for brackets that open at once, one a level.
  private static let capacity = EventDecoder.maximumRecordBytes / 2 + maximumDepth + 2

  private let tokens: UnsafeMutablePointer<Token>
  private let open: UnsafeMutablePointer<Int>
  private(set) var count = 0
  /// Where the last malformed text went wrong.
  private(set) var errorPosition = 0

  init() {
    // Untouched pages cost nothing: ordinary records use the first.
    tokens = .allocate(capacity: Self.capacity)
    open = .allocate(capacity: Self.maximumDepth)
  }

  deinit {
    tokens.deallocate()
    open.deallocate()
  }

  subscript(index: Int) -> Token { tokens[index] }

  /// Reads a text of at most ``EventDecoder/maximumRecordBytes``; false where it is malformed.
  mutating func read(_ bytes: ByteSlice) -> Bool {
    count = 0
    var depth = 0
    var at = 0
    let end = bytes.count
    @inline(__always) func skipSpace() {
      while at < end, bytes[at] == 0x20 || bytes[at] == 0x0a || bytes[at] == 0x0d || bytes[at] == 0x09 { at += 1 }
    }
    func add(_ kind: Kind, _ first: Int, _ last: Int, escaped: Bool = false) {
      tokens[count] = Token(
        start: UInt32(first), end: UInt32(last), next: UInt32(count + 1), kind: kind, isEscaped: escaped)
      count += 1
    }
    /// Closes the innermost container at the bracket under `at`.
    func close() {
      at += 1
      depth -= 1
      tokens[open[depth]].end = UInt32(at)
      tokens[open[depth]].next = UInt32(count)
    }
    func readString() -> Bool {
      guard at < end, bytes[at] == UInt8(ascii: "\"") else { return false }
      at += 1
      let first = at
      var escaped = false
      while true {
        guard let rest = bytes.baseAddress?.advanced(by: at) else { return false }
        at += meterd_plain_run(rest.assumingMemoryBound(to: UInt8.self), end - at)
        guard at < end else { return false }
        let byte = bytes[at]
        if byte == UInt8(ascii: "\"") {
          add(.string, first, at, escaped: escaped)
          at += 1
          return true
        }
        let length: Int
        if byte == UInt8(ascii: "\\") {
          escaped = true
          length = UTF8Text.escapeLength(bytes, at: at)
        } else {
          length = byte < 0x20 ? 0 : UTF8Text.sequenceLength(bytes, at: at)
        }
        guard length > 0 else { return false }
        at += length
      }
    }
    func readName() -> Bool {
      skipSpace()
      guard readString() else { return false }
      skipSpace()
      guard at < end, bytes[at] == UInt8(ascii: ":") else { return false }
      at += 1
      return true
    }
    func readWord(_ word: StaticString, _ kind: Kind) -> Bool {
      let length = word.utf8CodeUnitCount
      guard end - at >= length, let rest = bytes.baseAddress?.advanced(by: at),
        meterd_equal(rest, word.utf8Start, length)
      else { return false }
      add(kind, at, at + length)
      at += length
      return true
    }
    /// Opens a container; true where its first value is to be read next.
    func readScalarOrOpen(_ isOpened: inout Bool) -> Bool {
      isOpened = false
      skipSpace()
      guard at < end else { return false }
      switch bytes[at] {
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        guard depth < Self.maximumDepth else { return false }
        let isObject = bytes[at] == UInt8(ascii: "{")
        open[depth] = count
        depth += 1
        add(isObject ? .object : .array, at, at)
        at += 1
        skipSpace()
        if at < end, bytes[at] == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
          close()
          return true
        }
        isOpened = true
        return !isObject || readName()
      case UInt8(ascii: "\""): return readString()
      case UInt8(ascii: "t"): return readWord("true", .true)
      case UInt8(ascii: "f"): return readWord("false", .false)
      case UInt8(ascii: "n"): return readWord("null", .null)
      default:
        let length = NumberText.length(in: bytes, from: at)
        guard length > 0 else { return false }
        add(.number, at, at + length)
        at += length
        return true
      }
    }

    defer { errorPosition = at }
    var isOpened = false
    while true {
      guard readScalarOrOpen(&isOpened) else { return false }
      if isOpened { continue }
      // A value has ended: so may the containers around it.
      while true {
        skipSpace()
        if depth == 0 { return at == end }
        guard at < end else { return false }
        let isObject = tokens[open[depth - 1]].kind == .object
        if bytes[at] == UInt8(ascii: ",") {
          at += 1
          guard !isObject || readName() else { return false }
          break
        }
        guard bytes[at] == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else { return false }
        close()
      }
    }
  }
}
