internal import Daemon

/// Where values come from beside the file itself; tests bring their own.
public struct ConfigurationSources: Sendable {
  /// The value of an environment variable, or `nil` where it is not set.
  public var environment: @Sendable (String) -> String?
  /// The bytes of a file, or why there are none.
  public var readFile: @Sendable (String) throws -> [UInt8]

  public init(
    environment: @escaping @Sendable (String) -> String?, readFile: @escaping @Sendable (String) throws -> [UInt8]
  ) {
    self.environment = environment
    self.readFile = readFile
  }
}

/// Reads nodes by the schema's table. It goes on after a problem, so that one run names them all.
struct SchemaReader {
  let file: String
  let sources: ConfigurationSources
  private(set) var problems: [ConfigurationProblem] = []

  init(file: String, sources: ConfigurationSources) {
    self.file = file
    self.sources = sources
  }

  mutating func report(
    _ line: Int, _ key: String, _ summary: String, found: String? = nil, allowed: String? = nil, nearest: String? = nil
  ) {
    problems.append(
      ConfigurationProblem(
        file: file, line: line, key: key, summary: summary, found: found, allowed: allowed, nearest: nearest))
  }

  /// Hides what was found in the problems reported since there were `count`.
  mutating func maskFound(from count: Int) {
    for index in problems.indices.dropFirst(count) where problems[index].found != nil {
      problems[index].found = Secret.mask
    }
  }

  mutating func replaceAllowed(from count: Int, with allowed: String) {
    for index in problems.indices.dropFirst(count) { problems[index].allowed = allowed }
  }

  /// Reads one shape; `node` is `nil` where the key does not stand in the file.
  mutating func read(_ shape: SchemaShape, _ node: YAMLNode?, path: String, parentLine: Int) -> ParsedValue {
    let node = node?.isNull == true ? nil : node
    switch shape {
    case .leaf(let type, let standard):
      if let node { return readLeaf(type, node, path: path) }
      guard let standard else { return ParsedValue(content: .absent, line: 0) }
      var value = defaultValue(type, standard, path: path)
      value.line = 0
      return value
    case .mapping(let keys): return readMapping(keys, node, path: path, parentLine: parentLine)
    case .named(let element, _): return readNamed(element, node, path: path)
    case .list(let element, _): return readList(element, node, path: path)
    case .kafkaProperties: return readKafkaProperties(node, path: path)
    case .customers: return readCustomers(node, path: path)
    }
  }

  private mutating func defaultValue(_ type: ValueType, _ standard: String, path: String) -> ParsedValue {
    if case .names = type { return ParsedValue(content: .names([]), line: 0) }
    return readLeaf(type, YAMLNode(content: .scalar(standard, isPlain: true), line: 0), path: path)
  }

  // MARK: Mappings

  private mutating func readMapping(_ keys: [SchemaKey], _ node: YAMLNode?, path: String, parentLine: Int)
    -> ParsedValue
  {
    let line = node?.line ?? parentLine
    if let node, case .mapping = node.content {
    } else if let node {
      report(
        node.line, path, "wrong type", found: node.found,
        allowed: path.isEmpty ? "keys and values" : "a mapping of keys")
      return ParsedValue(content: .absent, line: node.line)
    }
    let members = node.map { membersOf($0, path: path) } ?? []
    var keys = keys
    if keys.contains(where: { $0.providers != nil }) {
      guard let provider = readProvider(members, keys, path: path, line: line) else {
        return ParsedValue(content: .absent, line: line)
      }
      reportForeignKeys(members, keys, provider: provider, path: path)
      let foreign = Set(keys.filter { $0.providers?.contains(provider) == false }.map(\.name))
      keys.removeAll { foreign.contains($0.name) }
      return readMembers(
        members.filter { !foreign.contains(Self.withoutFileSuffix($0.key, foreign)) }, keys, path: path, line: line)
    }
    return readMembers(members, keys, path: path, line: line)
  }

  private mutating func readMembers(
    _ members: [(key: String, keyLine: Int, value: YAMLNode)], _ keys: [SchemaKey], path: String, line: Int
  ) -> ParsedValue {
    let known = keys.flatMap { $0.isSecret ? [$0.name, $0.name + "_file"] : [$0.name] }
    for member in members where !known.contains(member.key) {
      report(
        member.keyLine, join(path, member.key), "unknown key", allowed: known.joined(separator: ", "),
        nearest: nearestName(to: member.key, among: known))
    }
    var parsed: [ParsedMember] = []
    for key in keys {
      var member = members.first { $0.key == key.name }
      if key.isSecret, let inFile = members.first(where: { $0.key == key.name + "_file" }) {
        if let direct = member {
          report(
            max(direct.keyLine, inFile.keyLine), join(path, key.name), "given twice",
            found: "\(key.name) and \(key.name)_file", allowed: "one of them")
        }
        let secret = readSecretFile(inFile.value, path: join(path, inFile.key))
        parsed.append(ParsedMember(key: key.name, value: secret))
        continue
      }
      if member?.value.isNull == true { member = nil }
      if member == nil, key.isRequired, case .leaf = key.shape {
        report(
          line, join(path, key.name), "missing", allowed: "it is required: \(key.allowedText)")
      }
      parsed.append(
        ParsedMember(
          key: key.name,
          value: read(key.shape, member?.value, path: join(path, key.name), parentLine: member?.keyLine ?? line)))
    }
    return ParsedValue(content: .mapping(parsed), line: line)
  }

  /// The provider of a sink decides which keys the sink has: it is read first. `nil` is reported.
  private mutating func readProvider(
    _ members: [(key: String, keyLine: Int, value: YAMLNode)], _ keys: [SchemaKey], path: String, line: Int
  ) -> SinkProvider? {
    let path = join(path, "provider")
    guard let member = members.first(where: { $0.key == "provider" }), !member.value.isNull else {
      report(line, path, "missing", allowed: "it is required: one of \(SinkProvider.implementedNames)")
      return nil
    }
    let names = SinkProvider.allCases.map(\.rawValue)
    let value = readLeaf(.choice(names), member.value, path: path)
    guard case .text(let name) = value.content, let provider = SinkProvider(rawValue: name) else { return nil }
    guard provider.isImplemented else {
      report(
        member.value.line, path, "not in this version", found: "\"\(name)\"",
        allowed: "one of \(SinkProvider.implementedNames)")
      return nil
    }
    return provider
  }

  private mutating func reportForeignKeys(
    _ members: [(key: String, keyLine: Int, value: YAMLNode)], _ keys: [SchemaKey], provider: SinkProvider, path: String
  ) {
    let own = keys.filter { $0.providers?.contains(provider) ?? true }
    for key in keys {
      guard let providers = key.providers, !providers.contains(provider) else { continue }
      for member in members where member.key == key.name || (key.isSecret && member.key == key.name + "_file") {
        report(
          member.keyLine, join(path, member.key),
          "not a key of provider \(provider.rawValue) (it belongs to \(providers.map(\.rawValue).joined(separator: ", ")))",
          allowed: own.map(\.name).joined(separator: ", "))
      }
    }
  }

  private static func withoutFileSuffix(_ name: String, _ names: Set<String>) -> String {
    if name.hasSuffix("_file"), names.contains(String(name.dropLast(5))) { return String(name.dropLast(5)) }
    return name
  }

  mutating func membersOf(_ node: YAMLNode, path: String) -> [(key: String, keyLine: Int, value: YAMLNode)] {
    guard case .mapping(let members) = node.content else {
      report(
        node.line, path, "wrong type", found: node.found,
        allowed: path.isEmpty ? "keys and values" : "a mapping of keys")
      return []
    }
    return members
  }

  private mutating func readNamed(_ element: SchemaShape, _ node: YAMLNode?, path: String) -> ParsedValue {
    guard let node else { return ParsedValue(content: .mapping([]), line: 0) }
    var parsed: [ParsedMember] = []
    for member in membersOf(node, path: path) {
      if !(1...256).contains(member.key.utf8.count) {
        report(
          member.keyLine, path, "a name out of range", found: "\(member.key.utf8.count) bytes", allowed: "1–256 bytes")
      }
      let value = read(element, member.value, path: join(path, member.key), parentLine: member.keyLine)
      parsed.append(ParsedMember(key: member.key, value: value))
    }
    return ParsedValue(content: .mapping(parsed), line: node.line)
  }

  private mutating func readList(_ element: SchemaShape, _ node: YAMLNode?, path: String) -> ParsedValue {
    guard let node else { return ParsedValue(content: .list([]), line: 0) }
    guard case .sequence(let elements) = node.content else {
      report(node.line, path, "wrong type", found: node.found, allowed: "a list, each element after a dash")
      return ParsedValue(content: .list([]), line: node.line)
    }
    let parsed = elements.enumerated().map { index, node in
      read(element, node, path: "\(path)[\(index)]", parentLine: node.line)
    }
    return ParsedValue(content: .list(parsed), line: node.line)
  }

  func join(_ path: String, _ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
}

extension SchemaKey {
  var isSecret: Bool {
    if case .leaf(.secret, _) = shape { return true }
    return false
  }

  /// What may stand there, for errors and the reference.
  var allowedText: String {
    switch shape {
    case .leaf(let type, _): type.allowedText
    case .mapping: "a mapping of keys"
    case .named: "a mapping of names"
    case .list: "a list"
    case .kafkaProperties: "a mapping of librdkafka properties"
    case .customers: ValueType.customersText
    }
  }
}
