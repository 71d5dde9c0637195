internal import CYAML

/// Reads one YAML document into nodes that know their lines, by libyaml's event parser.
///
/// Only what a configuration needs: block and flow collections and scalars. Anchors, aliases, tags and further documents
/// are refused, since each is a way for a file to mean something else than it seems to. The parser lives within one
/// call; its memory is freed on every path.
struct YAMLReader {
  /// Nesting beyond which a file is refused; the schema needs 5.
  static let maximumDepth = 32
  /// Bytes beyond which a file is refused.
  static let maximumBytes = 1 << 20

  private let file: String
  private var parser = yaml_parser_t()

  /// The document's root, or `nil` where the file holds no document.
  static func read(_ bytes: [UInt8], file: String) throws(ConfigurationProblem) -> YAMLNode? {
    guard bytes.count <= maximumBytes else {
      throw ConfigurationProblem(
        file: file, line: 0, key: "", summary: "the file is too large", found: "\(bytes.count) bytes",
        allowed: "at most \(maximumBytes) bytes")
    }
    // Some editors begin a file with a byte order mark; libyaml takes it for text once it is told the encoding.
    let bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
    var reader = YAMLReader(file: file)
    // libyaml keeps the input's address until the parser is deleted: both happen inside this closure.
    let result = bytes.withUnsafeBufferPointer { input -> Result<YAMLNode?, ConfigurationProblem> in
      guard yaml_parser_initialize(&reader.parser) == 1 else {
        return .failure(reader.problem(line: 0, "out of memory"))
      }
      defer { yaml_parser_delete(&reader.parser) }
      yaml_parser_set_input_string(&reader.parser, input.baseAddress, input.count)
      yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING)
      return Result { () throws(ConfigurationProblem) in try reader.document() }
    }
    do {
      return try result.get()
    } catch {
      throw hinted(error, bytes)
    }
  }

  /// What people stumble on: tabs, and `${NAME}` inside `{ }`, since its braces are YAML's.
  private static func hinted(_ problem: ConfigurationProblem, _ bytes: [UInt8]) -> ConfigurationProblem {
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    guard problem.allowed == nil, lines.indices.contains(problem.line - 1) else { return problem }
    var problem = problem
    let line = String(decoding: lines[problem.line - 1], as: UTF8.self)
    if line.prefix(while: { $0 == " " || $0 == "\t" }).contains("\t") {
      problem.allowed = "spaces before a key, not tabs"
    } else if line.contains("${") {
      problem.allowed = "inside { } a variable stands in quotes: \"${NAME}\""
    }
    return problem
  }

  private init(file: String) { self.file = file }

  private func problem(line: Int, _ summary: String, found: String? = nil, allowed: String? = nil)
    -> ConfigurationProblem
  {
    ConfigurationProblem(file: file, line: line, key: "", summary: summary, found: found, allowed: allowed)
  }

  private mutating func document() throws(ConfigurationProblem) -> YAMLNode? {
    var root: YAMLNode?
    while true {
      let event = try next()
      switch event.kind {
      case .documentStart:
        if root != nil {
          throw problem(line: event.line, "a second document", allowed: "one YAML document in a file")
        }
        root = try node(from: try next(), depth: 0)
      case .streamEnd: return root
      default: continue
      }
    }
  }

  private mutating func node(from event: Event, depth: Int) throws(ConfigurationProblem) -> YAMLNode {
    guard depth < Self.maximumDepth else {
      throw problem(line: event.line, "nested too deeply", allowed: "at most \(Self.maximumDepth) levels")
    }
    if event.hasAnchorOrTag {
      throw problem(line: event.line, "anchors and tags are not supported", allowed: "plain values")
    }
    switch event.kind {
    case .scalar(let text, let isPlain):
      return YAMLNode(content: .scalar(text, isPlain: isPlain), line: event.line)
    case .sequenceStart:
      var elements: [YAMLNode] = []
      while true {
        let element = try next()
        if case .sequenceEnd = element.kind { break }
        elements.append(try node(from: element, depth: depth + 1))
      }
      return YAMLNode(content: .sequence(elements), line: event.line)
    case .mappingStart:
      var members: [(key: String, keyLine: Int, value: YAMLNode)] = []
      while true {
        let key = try next()
        if case .mappingEnd = key.kind { break }
        guard case .scalar(let name, _) = key.kind, !key.hasAnchorOrTag else {
          throw problem(
            line: key.line, "a key that is not a word",
            allowed: "words as keys; a value with braces such as ${NAME} stands in quotes within { }")
        }
        if let first = members.first(where: { $0.key == name }) {
          throw problem(
            line: key.line, "the key \"\(name)\" stands twice in one mapping; the first is on line \(first.keyLine)")
        }
        members.append((name, key.line, try node(from: try next(), depth: depth + 1)))
      }
      return YAMLNode(content: .mapping(members), line: event.line)
    case .alias:
      throw problem(line: event.line, "aliases are not supported", allowed: "the value itself, written out")
    case .documentStart, .streamEnd, .sequenceEnd, .mappingEnd, .other:
      throw problem(line: event.line, "the YAML ends where a value should stand")
    }
  }

  /// One event of libyaml's, copied out of its memory.
  private struct Event {
    enum Kind {
      case documentStart, streamEnd, sequenceStart, sequenceEnd, mappingStart, mappingEnd, alias, other
      case scalar(String, isPlain: Bool)
    }
    var kind: Kind
    /// From 1.
    var line: Int
    var hasAnchorOrTag = false
  }

  private mutating func next() throws(ConfigurationProblem) -> Event {
    var event = yaml_event_t()
    guard yaml_parser_parse(&parser, &event) == 1 else { throw syntaxProblem() }
    defer { yaml_event_delete(&event) }
    let line = Int(event.start_mark.line) + 1
    switch event.type {
    case YAML_DOCUMENT_START_EVENT: return Event(kind: .documentStart, line: line)
    case YAML_STREAM_END_EVENT: return Event(kind: .streamEnd, line: line)
    case YAML_SEQUENCE_START_EVENT:
      let data = event.data.sequence_start
      return Event(kind: .sequenceStart, line: line, hasAnchorOrTag: data.anchor != nil || data.tag != nil)
    case YAML_SEQUENCE_END_EVENT: return Event(kind: .sequenceEnd, line: line)
    case YAML_MAPPING_START_EVENT:
      let data = event.data.mapping_start
      return Event(kind: .mappingStart, line: line, hasAnchorOrTag: data.anchor != nil || data.tag != nil)
    case YAML_MAPPING_END_EVENT: return Event(kind: .mappingEnd, line: line)
    case YAML_ALIAS_EVENT: return Event(kind: .alias, line: line)
    case YAML_SCALAR_EVENT:
      let data = event.data.scalar
      let text = String(decoding: UnsafeBufferPointer(start: data.value, count: data.length), as: UTF8.self)
      return Event(
        kind: .scalar(text, isPlain: data.style == YAML_PLAIN_SCALAR_STYLE), line: line,
        hasAnchorOrTag: data.anchor != nil || data.tag != nil)
    default: return Event(kind: .other, line: line)
    }
  }

  private func syntaxProblem() -> ConfigurationProblem {
    let what = parser.problem.map { String(cString: $0) } ?? "not readable"
    let context = parser.context.map { " (\(String(cString: $0)))" } ?? ""
    // A reader's problem (bad UTF-8) has an offset but no mark.
    let hasMark = parser.error != YAML_READER_ERROR && parser.error != YAML_MEMORY_ERROR
    let place = hasMark ? "" : " at byte \(parser.problem_offset)"
    return problem(
      line: hasMark ? Int(parser.problem_mark.line) + 1 : 0, "not valid YAML: \(what)\(context)\(place)")
  }
}
