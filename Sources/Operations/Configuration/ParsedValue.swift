internal import Daemon

/// A value as the schema's reader understood it, and where it stands; 0 where it is a default.
indirect enum ParsedContent: Sendable, Hashable {
  /// No value and no default.
  case absent
  case text(String)
  case integer(Int64)
  case boolean(Bool)
  case duration(Duration)
  case size(Int64)
  case instant(Int64)
  case secret(Secret)
  case names([String])
  case list([ParsedValue])
  case mapping([ParsedMember])
}

struct ParsedValue: Sendable, Hashable {
  var content: ParsedContent
  var line: Int
}

struct ParsedMember: Sendable, Hashable {
  var key: String
  var value: ParsedValue
}

// The accessors trap where the table and the code that reads it disagree: a mistake in this folder, which the test
// that reads the default configuration meets; never something that a file could bring about.
extension ParsedValue {
  /// The value under a key; absent within what is absent, so that a section that was refused can be looked into.
  subscript(key: String) -> ParsedValue {
    if isAbsent { return self }
    guard case .mapping(let members) = content, let member = members.first(where: { $0.key == key }) else {
      preconditionFailure("the schema has no key \(key) here")
    }
    return member.value
  }

  var isAbsent: Bool { content == .absent }

  var members: [ParsedMember] {
    guard case .mapping(let members) = content else { preconditionFailure("the schema has no mapping here") }
    return members
  }

  var elements: [ParsedValue] {
    guard case .list(let elements) = content else { preconditionFailure("the schema has no list here") }
    return elements
  }

  var text: String {
    guard case .text(let text) = content else { preconditionFailure("the schema has no text here") }
    return text
  }

  var integer: Int64 {
    guard case .integer(let integer) = content else { preconditionFailure("the schema has no integer here") }
    return integer
  }

  var boolean: Bool {
    guard case .boolean(let boolean) = content else { preconditionFailure("the schema has no boolean here") }
    return boolean
  }

  var duration: Duration {
    guard case .duration(let duration) = content else { preconditionFailure("the schema has no duration here") }
    return duration
  }

  var size: Int64 {
    guard case .size(let size) = content else { preconditionFailure("the schema has no size here") }
    return size
  }

  var secret: Secret {
    guard case .secret(let secret) = content else { preconditionFailure("the schema has no secret here") }
    return secret
  }

  var names: [String] {
    guard case .names(let names) = content else { preconditionFailure("the schema has no names here") }
    return names
  }

  var optionalNames: [String]? { isAbsent ? nil : names }
  var optionalText: String? { isAbsent ? nil : text }
}
