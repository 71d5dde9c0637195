internal import Billing
internal import Daemon
internal import Glibc
internal import Metering
internal import Operations

extension DaemonSettings {
  /// A configuration, resolved.
  ///
  /// - Parameters:
  ///   - bootstrapServers: the embedded broker's address, where it is one.
  ///   - storagePath: instead of the configured one.
  init(
    _ configuration: Configuration, log: Log, bootstrapServers: String? = nil, storagePath: String? = nil,
    isDryRun: Bool = false
  ) throws(CommandFailure) {
    var sinks: [ConfiguredSink] = []
    for sink in configuration.sinks {
      var wanted = SinkConfiguration(sink)
      // A dry run prints what every sink would be sent.
      if isDryRun { wanted = wanted.printed }
      do throws(SinkConfigurationError) {
        sinks.append(try ProviderRegistry.make(wanted, log: { Terminal.rawBytes($0) }))
      } catch {
        throw CommandFailure(.configuration, "sinks: \(error)")
      }
    }
    if sinks.isEmpty, isDryRun {
      do throws(SinkConfigurationError) {
        sinks.append(
          try ProviderRegistry.make(
            SinkConfiguration(name: "dry-run", provider: "log"), log: { Terminal.rawBytes($0) }))
      } catch {
        throw CommandFailure(.internal, "\(error)")
      }
    }
    let maps = try CustomerMaps(configuration.sinks, log: log)
    let rules = BillingRules(
      version: configuration.version, counting: configuration.countingRules, sinks: sinks.map(\.rules))
    do throws(LedgerCodecError) {
      _ = try rules.encodedForLedger()
    } catch {
      throw CommandFailure(.configuration, "what the ledger would have to hold of features and sinks: \(error)")
    }
    self.init(
      kafka: KafkaSettings(configuration.kafka, bootstrapServers: bootstrapServers),
      storagePath: storagePath ?? configuration.storage.path,
      rules: rules,
      partition: PartitionSettings(configuration), sinks: sinks,
      mapCustomer: { maps.name(sink: $0, customer: $1) }, host: hostName(), version: Version.meterd, isDryRun: isDryRun)
  }
}

extension PartitionSettings {
  init(_ configuration: Configuration) {
    self.init()
    intervalMilliseconds = milliseconds(configuration.flush.interval)
    maxRows = configuration.flush.maxRows
    memoryLimit = Int(clamping: configuration.dedup.maxMemoryBytes)
    allowPartialRebuild = configuration.dedup.allowPartialRebuild
    ledgerKeepMilliseconds = milliseconds(configuration.ledger.keep)
  }
}

extension SinkConfiguration {
  init(_ sink: Configuration.Sink) {
    var names: [String: String] = [:]
    for feature in sink.features { names[feature.feature] = feature.eventName }
    let start: SinkStart =
      switch sink.fromCut {
      case .present: .present
      case .earliest: .earliest
      case .instant(let milliseconds): .instant(milliseconds)
      }
    var url: String?
    var secret: String?
    var window: Int64?
    switch sink.target {
    case .stripe(let key, let base): (url, secret) = (base, key.reveal())
    case .webhook(let target, let key, let keeps):
      (url, secret, window) = (target, key.reveal(), keeps.map { milliseconds($0) })
    case .log: break
    }
    self.init(
      name: sink.name, provider: sink.provider.rawValue, url: url, secret: secret.map { Billing.Secret($0) },
      requestsPerSecond: sink.requestsPerSecond, idempotencyWindowMilliseconds: window,
      account: sink.account, featureNames: names, takesOtherFeatures: sink.otherFeatures == .sameName, start: start,
      isRetired: sink.isRetired)
  }

  /// The same sink, that only prints.
  var printed: SinkConfiguration {
    SinkConfiguration(
      name: name, provider: "log", featureNames: featureNames, takesOtherFeatures: takesOtherFeatures, start: start,
      isRetired: isRetired)
  }
}

/// This machine's name, as people know it.
func hostName() -> String {
  var name = [CChar](repeating: 0, count: 256)
  guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
  return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
