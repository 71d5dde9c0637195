internal import CRdkafka
internal import Synchronization

/// Owns one `rd_kafka_t`, with its configuration's callbacks. Every room's type has one, and none shares it.
///
/// librdkafka's handles are safe to call from any thread; what is not safe is a call after `destroy`, which each owner
/// rules out: it closes once, after its poll thread has been joined.
final class ClientHandle: @unchecked Sendable {
  // Unchecked: `raw` is a pointer to an object that synchronizes itself; the rest is constant.
  let raw: OpaquePointer
  /// What the handle is for, as errors name it.
  let purpose: String
  private let context: Unmanaged<ClientContext>
  private let isOpen = Mutex(true)

  /// Makes a handle. `configure` adds callbacks of its own to the configuration.
  init(
    _ type: rd_kafka_type_t, purpose: String, properties: ClientProperties, observer: ClientObserver,
    configure: (OpaquePointer) -> Void = { _ in }
  ) throws(KafkaError) {
    let configuration = try properties.makeConfiguration()
    let context = Unmanaged.passRetained(ClientContext(observer: observer))
    rd_kafka_conf_set_opaque(configuration, context.toOpaque())
    rd_kafka_conf_set_log_cb(configuration, clientLog)
    rd_kafka_conf_set_error_cb(configuration, clientError)
    rd_kafka_conf_set_stats_cb(configuration, clientStatistics)
    configure(configuration)
    var text = [CChar](repeating: 0, count: 512)
    guard let raw = rd_kafka_new(type, configuration, &text, text.count) else {
      let code = KafkaError.Code(rawValue: rd_kafka_last_error().rawValue)
      rd_kafka_conf_destroy(configuration)
      context.release()
      throw KafkaError(code, doing: "make a \(purpose)", detail: string(text))
    }
    self.raw = raw
    self.purpose = purpose
    self.context = context
  }

  /// What the rebalance callback needs beyond the observer.
  func setMember(_ member: (any RebalanceDelegate)?) { context.takeUnretainedValue().member.withLock { $0 = member } }

  /// Reports an error that came as an event, past the handle's callback.
  func report(_ code: rd_kafka_resp_err_t, _ reason: String) {
    context.takeUnretainedValue().report(code, reason, of: raw)
  }

  /// Reports statistics that came as an event, past the handle's callback.
  func reportStatistics(_ json: String) { context.takeUnretainedValue().observer.statistics?(json) }

  /// The fatal error that the handle is in, if it is.
  var fatalCause: KafkaError? { Kafka.fatalCause(of: raw) }

  /// Destroys the handle; waits for librdkafka's threads. A second call does nothing.
  func destroy(withoutClosing: Bool = false) {
    let wasOpen = isOpen.withLock { open in
      defer { open = false }
      return open
    }
    guard wasOpen else { return }
    if withoutClosing {
      rd_kafka_destroy_flags(raw, Int32(RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE))
    } else {
      rd_kafka_destroy(raw)
    }
    // No callback can come any more: the threads that call them are gone.
    context.release()
  }

  deinit { destroy() }
}

/// What a handle's callbacks find behind librdkafka's opaque pointer.
final class ClientContext: Sendable {
  let observer: ClientObserver
  let member = Mutex<(any RebalanceDelegate)?>(nil)
  private let fatalReported = Atomic(false)

  init(observer: ClientObserver) { self.observer = observer }

  /// Reports an error; a fatal one under its real code, and once.
  func report(_ code: rd_kafka_resp_err_t, _ reason: String, of handle: OpaquePointer) {
    guard code == RD_KAFKA_RESP_ERR__FATAL else {
      observer.error?(KafkaError(code, doing: name(of: handle), detail: reason))
      return
    }
    guard !fatalReported.exchange(true, ordering: .relaxed) else { return }
    let error = fatalCause(of: handle) ?? KafkaError(.fatal, doing: name(of: handle), detail: reason, isFatal: true)
    observer.error?(error)
    member.withLock { $0 }?.failed(error)
  }
}

/// Takes what the group member's callbacks deliver.
protocol RebalanceDelegate: AnyObject, Sendable {
  func rebalance(
    _ handle: OpaquePointer, _ code: rd_kafka_resp_err_t,
    _ partitions: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?)
  func failed(_ error: KafkaError)
}

/// The context of a handle, as set with `rd_kafka_conf_set_opaque`.
func clientContext(_ opaque: UnsafeMutableRawPointer?) -> ClientContext? {
  opaque.map { Unmanaged<ClientContext>.fromOpaque($0).takeUnretainedValue() }
}

func name(of handle: OpaquePointer) -> String { rd_kafka_name(handle).map { String(cString: $0) } ?? "client" }

func fatalCause(of handle: OpaquePointer) -> KafkaError? {
  var text = [CChar](repeating: 0, count: 512)
  let code = rd_kafka_fatal_error(handle, &text, text.count)
  guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
  return KafkaError(
    KafkaError.Code(rawValue: code.rawValue), doing: name(of: handle), detail: string(text), isFatal: true,
    isRetriable: false)
}

// Callbacks are free functions: a closure could be isolated to an actor that librdkafka's threads are not on.

private func clientLog(
  _ handle: OpaquePointer?, _ level: Int32, _ facility: UnsafePointer<CChar>?, _ text: UnsafePointer<CChar>?
) {
  guard let handle, let log = clientContext(rd_kafka_opaque(handle))?.observer.log else { return }
  log(
    LogLine(
      level: level, facility: facility.map { String(cString: $0) } ?? "",
      message: text.map { String(cString: $0) } ?? ""))
}

private func clientError(
  _ handle: OpaquePointer?, _ code: Int32, _ reason: UnsafePointer<CChar>?, _ opaque: UnsafeMutableRawPointer?
) {
  guard let handle, let context = clientContext(opaque) else { return }
  context.report(rd_kafka_resp_err_t(code), reason.map { String(cString: $0) } ?? "", of: handle)
}

private func clientStatistics(
  _ handle: OpaquePointer?, _ json: UnsafeMutablePointer<CChar>?, _ length: Int, _ opaque: UnsafeMutableRawPointer?
) -> Int32 {
  if let json, let statistics = clientContext(opaque)?.observer.statistics {
    statistics(
      String(decoding: UnsafeRawBufferPointer(start: UnsafeRawPointer(json), count: length), as: UTF8.self))
  }
  return 0  // librdkafka frees the text
}
