internal import Daemon

extension Configuration {
  /// Takes the values that the schema's reader found good.
  init(_ root: ParsedValue) {
    version = root["version"].integer
    kafka = Kafka(root["kafka"])
    storage = Storage(path: root["storage"]["path"].text)
    events = Events(root["events"])
    let dedup = root["dedup"]
    self.dedup = Dedup(
      window: dedup["window"].duration, maxMemoryBytes: dedup["max_memory"].size,
      allowPartialRebuild: dedup["allow_partial_rebuild"].boolean)
    let flush = root["flush"]
    self.flush = Flush(
      interval: flush["interval"].duration, timeSlot: flush["time_slot"].duration,
      maxRows: Int(flush["max_rows"].integer))
    features = root["features"].members.map { member in
      Feature(
        name: member.key, aggregate: member.value["aggregate"].word(), dimensions: member.value["dimensions"].names,
        allowNegative: member.value["allow_negative"].boolean)
    }
    ledger = Ledger(keep: root["ledger"]["keep"].duration)
    http = HTTP(listen: root["http"]["listen"].text)
    sinks = root["sinks"].elements.map(Sink.init)
    guard let level = LogLevel(name: root["log"]["level"].text) else {
      preconditionFailure("the schema's levels are Log's")
    }
    log = Logging(level: level, format: root["log"]["format"].word())
  }
}

extension Configuration.Kafka {
  init(_ value: ParsedValue) {
    bootstrapServers = value["bootstrap_servers"].text
    topic = value["topic"].text
    group = value["group"].text
    if case .integer(let count) = value["consumers"].content { consumers = Int(count) }
    switch value["start"].content {
    case .instant(let milliseconds): start = .instant(unixMilliseconds: milliseconds)
    case .text("latest"): start = .latest
    default: start = .earliest
    }
    startTimeout = value["start_timeout"].duration
    properties = value["properties"].members.map { member in
      if case .secret(let secret) = member.value.content {
        return Configuration.Property(name: member.key, value: .secret(secret))
      }
      return Configuration.Property(name: member.key, value: .plain(member.value.text))
    }
  }
}

extension Configuration.Events {
  init(_ value: ParsedValue) {
    maxAge = value["max_age"].duration
    maxAhead = value["max_ahead"].duration
    missingKey = value["missing_key"].word()
    unknownFeature = value["unknown_feature"].word()
    keyCheck = value["key_check"].word()
    let fields = value["fields"]
    self.fields = Fields()
    self.fields.key = fields["key"].optionalNames
    self.fields.source = fields["source"].optionalNames
    self.fields.customer = fields["customer"].optionalNames
    self.fields.feature = fields["feature"].optionalNames
    self.fields.quantity = fields["quantity"].optionalNames
    self.fields.time = fields["time"].optionalNames
    self.fields.dimensions = fields["dimensions"].optionalNames
  }
}

extension Configuration.Sink {
  init(_ value: ParsedValue) {
    name = value["name"].text
    switch value["provider"].text {
    case "stripe": target = .stripe(secretKey: value["secret_key"].secret, baseURL: value["base_url"].text)
    case "webhook":
      let window = value["idempotency_window"]
      target = .webhook(
        url: value["url"].text, secret: value["secret"].secret,
        idempotencyWindow: window.isAbsent ? nil : window.duration)
    case "log": target = .log
    default: preconditionFailure("the schema's reader lets only implemented providers through")
    }
    let rate = value["rate"]["requests_per_second"]
    requestsPerSecond = rate.isAbsent ? nil : rate.integer
    features = value["features"].members.map { member in
      FeatureName(feature: member.key, eventName: member.value["event_name"].optionalText ?? member.key)
    }
    otherFeatures = value["other_features"].word()
    switch value["customers"].content {
    case .mapping(let members) where members[0].key == "map": customers = .map(file: members[0].value.text)
    case .mapping(let members): customers = .template(members[0].value.text)
    default: customers = .identity
    }
    account = value["account"].optionalText
    switch value["from_cut"].content {
    case .instant(let milliseconds): fromCut = .instant(unixMilliseconds: milliseconds)
    case .text("earliest"): fromCut = .earliest
    default: fromCut = .present
    }
    isRetired = value["retired"].boolean
  }
}

extension ParsedValue {
  /// One of an enum's words; the schema lists the same ones.
  fileprivate func word<Word: RawRepresentable>() -> Word where Word.RawValue == String {
    guard let word = Word(rawValue: text) else {
      preconditionFailure("the schema's words are not \(Word.self)'s: \(text)")
    }
    return word
  }
}
