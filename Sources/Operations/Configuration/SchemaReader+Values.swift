internal import Daemon

// Leaves: scalars with ${NAME}, their types and ranges, credentials, and the two keys with a form of their own.
extension SchemaReader {
  mutating func readLeaf(_ type: ValueType, _ node: YAMLNode, path: String) -> ParsedValue {
    let absent = ParsedValue(content: .absent, line: node.line)
    if case .names(let count) = type { return readNames(node, count: count, path: path) }
    if case .secret = type { return readSecret(node, path: path) }
    guard case .scalar(_, let isPlain) = node.content else {
      report(node.line, path, "wrong type", found: node.found, allowed: type.allowedText)
      return absent
    }
    guard let text = expanded(node, path: path) else { return absent }
    guard isPlain || type.takesQuotes else {
      report(node.line, path, "wrong type", found: "the text \(node.found)", allowed: type.allowedText)
      return absent
    }
    switch type.parse(text) {
    case .success(let content): return ParsedValue(content: content, line: node.line)
    case .failure(let mismatch):
      let nearest: String? = type.words.flatMap { nearestName(to: text, among: $0) }
      report(node.line, path, mismatch.rawValue, found: node.found, allowed: type.allowedText, nearest: nearest)
      return absent
    }
  }

  /// A scalar's text with `${NAME}` filled in from the environment; `$${` stands for `${`. `nil` is reported. Errors show
  /// what is written in the file, never what a variable holds: it may be a credential.
  mutating func expanded(_ node: YAMLNode, path: String) -> String? {
    guard case .scalar(let text, _) = node.content else { return nil }
    var output = ""
    var rest = text[...]
    while let dollar = rest.firstRange(of: "${") {
      if dollar.lowerBound > rest.startIndex, rest[rest.index(before: dollar.lowerBound)] == "$" {
        output += rest[..<rest.index(before: dollar.lowerBound)] + "${"
        rest = rest[dollar.upperBound...]
        continue
      }
      output += rest[..<dollar.lowerBound]
      guard let end = rest[dollar.upperBound...].firstIndex(of: "}") else {
        report(
          node.line, path, "${ without }", found: node.found, allowed: "${NAME}; $${ for the characters themselves")
        return nil
      }
      let name = String(rest[dollar.upperBound..<end])
      guard Self.isVariableName(name) else {
        report(
          node.line, path, "not the name of an environment variable", found: "\"\(name)\"",
          allowed: "letters, digits and _, a letter or _ first")
        return nil
      }
      guard let value = sources.environment(name) else {
        report(node.line, path, "the environment variable \(name) is not set", found: node.found)
        return nil
      }
      output += value
      rest = rest[rest.index(after: end)...]
    }
    return output + rest
  }

  private static func isVariableName(_ name: String) -> Bool {
    guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return false }
    return name.unicodeScalars.allSatisfy {
      $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || $0 == "_")
    }
  }

  // MARK: Credentials

  private mutating func readSecret(_ node: YAMLNode, path: String) -> ParsedValue {
    guard case .scalar = node.content else {
      report(node.line, path, "wrong type", found: node.found, allowed: ValueType.secret.allowedText)
      return ParsedValue(content: .absent, line: node.line)
    }
    guard let text = expandedSecret(node, path: path) else { return ParsedValue(content: .absent, line: node.line) }
    return checkedSecret(text, line: node.line, path: path)
  }

  /// As ``expanded(_:path:)``, and what stands in the file is masked as well.
  private mutating func expandedSecret(_ node: YAMLNode, path: String) -> String? {
    let before = problems.count
    let text = expanded(node, path: path)
    maskFound(from: before)
    return text
  }

  mutating func readSecretFile(_ node: YAMLNode, path: String) -> ParsedValue {
    let absent = ParsedValue(content: .absent, line: node.line)
    guard case .scalar = node.content, !node.isNull else {
      report(node.line, path, "wrong type", found: node.found, allowed: "the path of a file that holds the credential")
      return absent
    }
    guard let name = expanded(node, path: path) else { return absent }
    let bytes: [UInt8]
    do {
      bytes = try sources.readFile(name)
    } catch {
      report(node.line, path, "the file cannot be read: \(error)", found: node.found)
      return absent
    }
    guard bytes.count <= 65_536, var text = String(validating: bytes, as: UTF8.self) else {
      report(
        node.line, path, "the file holds no credential", found: node.found, allowed: "UTF-8 text of at most 64 KiB")
      return absent
    }
    // Editors and `echo` end a file with a line feed; it is no part of a credential.
    if text.utf8.last == UInt8(ascii: "\n") { text.unicodeScalars.removeLast() }
    if text.utf8.last == UInt8(ascii: "\r") { text.unicodeScalars.removeLast() }
    return checkedSecret(text, line: node.line, path: path)
  }

  private mutating func checkedSecret(_ text: String, line: Int, path: String) -> ParsedValue {
    var problem: String?
    if text.isEmpty {
      problem = "the credential is empty"
    } else if text.utf8.contains(0) {
      problem = "the credential holds a NUL"
    } else if !path.contains(KafkaPropertyRules.keyOfManyLines),
      text.utf8.contains(where: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") })
    {
      problem = "the credential holds a line break; a file may end with one"
    }
    if let problem {
      report(line, path, problem, allowed: ValueType.secret.allowedText)
      return ParsedValue(content: .absent, line: line)
    }
    return ParsedValue(content: .secret(Secret(text)), line: line)
  }

  // MARK: Lists of names

  private mutating func readNames(_ node: YAMLNode, count: ClosedRange<Int>, path: String) -> ParsedValue {
    let type = ValueType.names(count)
    let elements: [YAMLNode]
    switch node.content {
    case .scalar: elements = [node]
    case .sequence(let nodes): elements = nodes
    case .mapping:
      report(node.line, path, "wrong type", found: node.found, allowed: type.allowedText)
      return ParsedValue(content: .absent, line: node.line)
    }
    var names: [String] = []
    for element in elements {
      guard case .scalar = element.content else {
        report(element.line, path, "wrong type", found: element.found, allowed: type.allowedText)
        continue
      }
      guard let name = expanded(element, path: path) else { continue }
      if !(1...256).contains(name.utf8.count) {
        report(element.line, path, "out of range", found: element.found, allowed: type.allowedText)
      } else if names.contains(name) {
        report(element.line, path, "a name that stands twice", found: element.found, allowed: type.allowedText)
      } else {
        names.append(name)
      }
    }
    if !count.contains(elements.count) {
      report(node.line, path, "out of range", found: "\(elements.count) names", allowed: type.allowedText)
    }
    return ParsedValue(content: .names(names), line: node.line)
  }

  // MARK: kafka.properties

  mutating func readKafkaProperties(_ node: YAMLNode?, path: String) -> ParsedValue {
    guard let node else { return ParsedValue(content: .mapping([]), line: 0) }
    var parsed: [ParsedMember] = []
    for member in membersOf(node, path: path) {
      let memberPath = join(path, member.key)
      var name = member.key
      var isInFile = false
      if name.hasSuffix("_file"), KafkaPropertyRules.credentials.contains(String(name.dropLast(5))) {
        name = String(name.dropLast(5))
        isInFile = true
      }
      if let reason = KafkaPropertyRules.refusal(of: name) {
        report(
          member.keyLine, memberPath, "meterd keeps this property to itself: \(reason)",
          allowed: "any other librdkafka property")
        continue
      }
      if parsed.contains(where: { $0.key == name }) {
        report(member.keyLine, memberPath, "given twice", found: "\(name) and \(name)_file", allowed: "one of them")
        continue
      }
      let value: ParsedValue
      if isInFile {
        value = readSecretFile(member.value, path: memberPath)
      } else if KafkaPropertyRules.credentials.contains(name) {
        value = readLeaf(.secret, member.value, path: memberPath)
      } else {
        value = readLeaf(.text(0...65_536), member.value, path: memberPath)
      }
      if !value.isAbsent { parsed.append(ParsedMember(key: name, value: value)) }
    }
    return ParsedValue(content: .mapping(parsed), line: node.line)
  }

  // MARK: customers

  mutating func readCustomers(_ node: YAMLNode?, path: String) -> ParsedValue {
    guard let node else { return ParsedValue(content: .text("identity"), line: 0) }
    let absent = ParsedValue(content: .absent, line: node.line)
    switch node.content {
    case .scalar: return readLeaf(.choice(["identity"]), node, path: path, allowed: ValueType.customersText)
    case .mapping(let members):
      guard members.count == 1, let member = members.first, ["map", "template"].contains(member.key) else {
        let unknown = members.first { !["map", "template"].contains($0.key) }
        report(
          unknown?.keyLine ?? node.line, unknown.map { join(path, $0.key) } ?? path,
          unknown == nil ? "wrong type" : "unknown key",
          found: unknown == nil ? "\(members.count) keys" : nil, allowed: ValueType.customersText,
          nearest: unknown.flatMap { nearestName(to: $0.key, among: ["map", "template"]) })
        return absent
      }
      let type: ValueType =
        member.key == "map"
        ? .rule("the path of a CSV file", ValueRules.isPath)
        : .rule("text with {customer} in it once, such as cus_{customer}", ValueRules.isCustomerTemplate)
      let value = readLeaf(type, member.value, path: join(path, member.key))
      if value.isAbsent { return absent }
      return ParsedValue(content: .mapping([ParsedMember(key: member.key, value: value)]), line: node.line)
    case .sequence:
      report(node.line, path, "wrong type", found: node.found, allowed: ValueType.customersText)
      return absent
    }
  }

  private mutating func readLeaf(_ type: ValueType, _ node: YAMLNode, path: String, allowed: String) -> ParsedValue {
    let before = problems.count
    let value = readLeaf(type, node, path: path)
    replaceAllowed(from: before, with: allowed)
    return value
  }
}
