/// The rules that span keys. It runs on values whose own problems are reported already, so it looks only at those that
/// are there.
struct CrossCheck {
  let file: String
  let requirements: ConfigurationFile.Requirements
  private(set) var problems: [ConfigurationProblem] = []
  private(set) var warnings: [String] = []

  init(file: String, requirements: ConfigurationFile.Requirements) {
    self.file = file
    self.requirements = requirements
  }

  mutating func run(_ root: ParsedValue) {
    guard case .mapping = root.content else { return }
    checkTopics(root["kafka"])
    checkLedger(root)
    checkTimeSlot(root)
    checkSinks(root["sinks"])
    if case .text("embedded") = root["kafka"]["bootstrap_servers"].content {
      warn(
        root["kafka"]["bootstrap_servers"], "kafka.bootstrap_servers",
        "the embedded broker is for trying, never for money")
    }
    if case .text(let address) = root["http"]["listen"].content, !address.hasPrefix("127."),
      !address.hasPrefix("[::1]"),
      !address.hasPrefix("localhost:")
    {
      warn(
        root["http"]["listen"], "http.listen",
        "the status page asks for no credentials, and others can reach it at \(address)")
    }
  }

  /// Whoever counts the events that it writes itself never comes to an end.
  private mutating func checkTopics(_ kafka: ParsedValue) {
    guard case .text(let topic) = kafka["topic"].content, case .text(let group) = kafka["group"].content,
      topic == "\(group).ledger" || topic == "\(group).quarantine"
    else { return }
    problems.append(
      ConfigurationProblem(
        file: file, line: kafka["topic"].line, key: "kafka.topic", summary: "a topic that this meterd writes to",
        found: "\"\(topic)\"", allowed: "another topic, or another kafka.group"))
  }

  private mutating func checkLedger(_ root: ParsedValue) {
    let keep = root["ledger"]["keep"]
    let window = root["dedup"]["window"]
    guard case .duration(let kept) = keep.content, case .duration(let remembered) = window.content else { return }
    let least = remembered + .seconds(7_200)
    if kept < least {
      problems.append(
        ConfigurationProblem(
          file: file, line: keep.line > 0 ? keep.line : window.line, key: "ledger.keep",
          summary: "out of range for dedup.window: \(ValueSyntax.text(remembered))",
          found: "\"\(ValueSyntax.text(kept))\"" + (keep.line > 0 ? "" : " (the default)"),
          allowed: "at least the dedup window and 2 hours: \(ValueSyntax.text(least))"))
    }
  }

  private mutating func checkTimeSlot(_ root: ParsedValue) {
    let slot = root["flush"]["time_slot"]
    guard case .duration(let length) = slot.content else { return }
    if 86_400_000 % length.wholeMilliseconds != 0 {
      problems.append(
        ConfigurationProblem(
          file: file, line: slot.line, key: "flush.time_slot", summary: "does not divide a day",
          found: "\"\(ValueSyntax.text(length))\"", allowed: "a duration that divides 24h, such as 15m, 1h or 24h"))
    }
  }

  private mutating func checkSinks(_ sinks: ParsedValue) {
    guard case .list(let elements) = sinks.content else { return }
    if elements.isEmpty, requirements.sinks {
      problems.append(
        ConfigurationProblem(
          file: file, line: max(1, sinks.line), key: "sinks", summary: "no sink",
          allowed: "at least one, such as - {name: preview, provider: log}; none only with --dry-run"))
    }
    var lines: [String: Int] = [:]
    for (index, sink) in elements.enumerated() {
      // A sink whose provider was refused is reported as such, and is not looked at further.
      guard case .mapping = sink.content else { continue }
      if case .text(let name) = sink["name"].content {
        if let first = lines[name] {
          problems.append(
            ConfigurationProblem(
              file: file, line: sink["name"].line, key: "sinks[\(index)].name",
              summary: "the name stands twice; the first is on line \(first)", found: "\"\(name)\"",
              allowed: "a different name for each sink"))
        }
        lines[name] = lines[name] ?? sink["name"].line
      }
      for key in ["base_url", "url"] {
        guard case .mapping(let members) = sink.content, let member = members.first(where: { $0.key == key }),
          case .text(let url) = member.value.content, ValueRules.isPlainHTTPToElsewhere(url)
        else { continue }
        warn(
          member.value, "sinks[\(index)].\(key)",
          "http without TLS: usage and credentials cross the network in the clear")
      }
    }
  }

  private mutating func warn(_ value: ParsedValue, _ key: String, _ what: String) {
    warnings.append("\(file):\(value.line): \(key): \(what)")
  }
}
