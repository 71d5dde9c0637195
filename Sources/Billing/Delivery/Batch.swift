internal import Metering

/// The rows of one customer and meter, across partitions, where only one may be in flight.
final class Lane {
  struct Key: Hashable {
    var customer: [UInt8]
    var meter: [UInt8]
  }
  let key: Key
  /// One of its rows has a SENDING or is in flight.
  var isBusy = false
  /// Rows that were due while it was busy.
  var queued = RowHeap<RowOrder>()
  /// Rows that exist; with none the lane is forgotten.
  var rows = 0

  init(key: Key) { self.key = key }
}

/// Rows of one partition that go into one request.
final class Batch {
  let partition: PartitionDelivery
  private(set) var rows: [DeliveryRow]
  /// The rows' bytes, in the same order.
  private(set) var contents: [SinkRow]
  /// The least of its rows' `largestBatch`.
  var limit: Int
  var bytes = 0
  let isProbe: Bool
  /// The SENDING that permits it, once that stands.
  var grant: Grant?

  init(partition: PartitionDelivery, first: DeliveryRow, content: SinkRow, isProbe: Bool = false) {
    self.partition = partition
    self.rows = [first]
    self.contents = [content]
    self.limit = first.largestBatch
    self.isProbe = isProbe
  }

  func add(_ row: DeliveryRow, _ content: SinkRow) {
    rows.append(row)
    contents.append(content)
    limit = min(limit, row.largestBatch)
  }

  func remove(where isOut: (DeliveryRow) -> Bool) {
    contents = zip(rows, contents).compactMap { isOut($0) ? nil : $1 }
    rows.removeAll(where: isOut)
  }
}

/// A SENDING that stands.
final class Grant {
  let identity: RecordIdentity
  let ledgerMilliseconds: Int64
  /// Elapsed milliseconds before its append was asked for: the lease counts from here.
  let requestedAt: Int64
  let account: String
  /// Rows whose attempt has no outcome yet.
  var outstanding: Int

  init(
    identity: RecordIdentity, ledgerMilliseconds: Int64, requestedAt: Int64, account: String,
    outstanding: Int
  ) {
    self.identity = identity
    self.ledgerMilliseconds = ledgerMilliseconds
    self.requestedAt = requestedAt
    self.account = account
    self.outstanding = outstanding
  }
}
