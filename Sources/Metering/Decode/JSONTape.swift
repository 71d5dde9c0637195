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
    var reader = Reader(bytes: bytes, tokens: tokens, open: open)
    let isValid = reader.readText()
    count = reader.count
    errorPosition = reader.at
    return isValid
  }

  /// The state of one reading: a plain value, since captured variables would be checked at every access.
  private struct Reader {
    let bytes: ByteSlice
    let tokens: UnsafeMutablePointer<Token>
    /// The tokens of the containers that are open, outermost first.
    let open: UnsafeMutablePointer<Int>
    var count = 0
    var depth = 0
    var at = 0

    init(bytes: ByteSlice, tokens: UnsafeMutablePointer<Token>, open: UnsafeMutablePointer<Int>) {
      self.bytes = bytes
      self.tokens = tokens
      self.open = open
    }

    mutating func readText() -> Bool {
      var isOpened = false
      while true {
        guard readScalarOrOpen(&isOpened) else { return false }
        if isOpened { continue }
        // A value has ended: so may the containers around it.
        while true {
          skipSpace()
          if depth == 0 { return at == bytes.count }
          guard at < bytes.count else { return false }
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

    @inline(__always)
    private mutating func skipSpace() {
      while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x0a || bytes[at] == 0x0d || bytes[at] == 0x09 {
        at += 1
      }
    }

    @inline(__always)
    private mutating func add(_ kind: Kind, _ first: Int, _ last: Int, escaped: Bool = false) {
      tokens[count] = Token(
        start: UInt32(truncatingIfNeeded: first), end: UInt32(truncatingIfNeeded: last),
        next: UInt32(truncatingIfNeeded: count + 1), kind: kind, isEscaped: escaped)
      count += 1
    }

    /// Closes the innermost container at the bracket under `at`.
    private mutating func close() {
      at += 1
      depth -= 1
      tokens[open[depth]].end = UInt32(at)
      tokens[open[depth]].next = UInt32(count)
    }

    private mutating func readString() -> Bool {
      guard at < bytes.count, bytes[at] == UInt8(ascii: "\""), let base = bytes.baseAddress else { return false }
      at += 1
      let first = at
      var escaped = false
      while true {
        at += meterd_plain_run((base + at).assumingMemoryBound(to: UInt8.self), bytes.count - at)
        guard at < bytes.count else { return false }
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

    /// Reads a member's name and colon.
    private mutating func readName() -> Bool {
      skipSpace()
      guard readString() else { return false }
      skipSpace()
      guard at < bytes.count, bytes[at] == UInt8(ascii: ":") else { return false }
      at += 1
      return true
    }

    private mutating func readWord(_ word: StaticString, _ kind: Kind) -> Bool {
      let length = word.utf8CodeUnitCount
      guard bytes.count - at >= length, let base = bytes.baseAddress, meterd_equal(base + at, word.utf8Start, length)
      else { return false }
      add(kind, at, at + length)
      at += length
      return true
    }

    /// Reads a value; a container is only opened, and `isOpened` set, where its first value is to be read next.
    private mutating func readScalarOrOpen(_ isOpened: inout Bool) -> Bool {
      isOpened = false
      skipSpace()
      guard at < bytes.count else { return false }
      switch bytes[at] {
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        guard depth < JSONTape.maximumDepth else { return false }
        let isObject = bytes[at] == UInt8(ascii: "{")
        open[depth] = count
        depth += 1
        add(isObject ? .object : .array, at, at)
        at += 1
        skipSpace()
        if at < bytes.count, bytes[at] == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
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
  }
}
