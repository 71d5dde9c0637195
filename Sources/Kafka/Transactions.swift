internal import CRdkafka

/// Kafka's transactions, for a producer with a `transactional.id`.
///
/// The ledger does without them (its owner rule costs a tenth); producers of usage events may use them, and so do the
/// load generator and the tests. Each call blocks its thread.
extension Producer {
  /// Fences older producers of the same `transactional.id`. Once, before anything else.
  public func initTransactions(timeoutMilliseconds: Int32 = 30_000) throws(KafkaError) {
    try check(rd_kafka_init_transactions(client.raw, timeoutMilliseconds), doing: "begin to use transactions")
  }

  /// Begins one: all that is produced from here on belongs to it.
  public func beginTransaction() throws(KafkaError) {
    try check(rd_kafka_begin_transaction(client.raw), doing: "begin a transaction")
  }

  /// Flushes and commits it.
  public func commitTransaction(timeoutMilliseconds: Int32 = -1) throws(KafkaError) {
    try check(rd_kafka_commit_transaction(client.raw, timeoutMilliseconds), doing: "commit a transaction")
  }

  /// Purges and aborts it.
  public func abortTransaction(timeoutMilliseconds: Int32 = -1) throws(KafkaError) {
    try check(rd_kafka_abort_transaction(client.raw, timeoutMilliseconds), doing: "abort a transaction")
  }

  private func check(_ error: OpaquePointer?, doing: String) throws(KafkaError) {
    if let error { throw KafkaError(consuming: error, doing: doing) }
  }
}
