import Billing
import Foundation
import Metering
import Testing

/// What a row costs from its claim to its DONE, requests written and replies read, without network and ledger. Prints.
@Suite("Measurement", .enabled(if: environment("METERD_TEST_MEASURE") != nil, "METERD_TEST_MEASURE is not set"))
struct Measurement {
  @Test("Webhook batches, a million rows")
  func webhook() {
    let adapter = WebhookAdapter(
      url: "https://e.com/u", secret: Secret("s"), idempotencyWindowMilliseconds: 604_800_000)
    let machine = SinkMachine(name: "books", adapter: adapter, partitionCount: 4, seed: 1, now: 0)
    var now: Int64 = 0
    var sequence: UInt64 = 0
    var settled = 0
    var queue: [SinkInput] = [.accountKnown("a")]
    func turn() {
      while !queue.isEmpty {
        let inputs = queue
        queue.removeAll(keepingCapacity: true)
        for input in inputs {
          machine.handle(input, now: now)
          for action in machine.takeActions() {
            switch action {
            case .append(let partition, .sending(let token, _)):
              sequence += 1
              queue.append(
                .sendingStands(
                  partition, token, identity: RecordIdentity(nonce: 1, sequence: sequence), ledgerMilliseconds: epoch))
            case .append(_, .done(let done)): settled += done.rows.count
            case .send(let id, _, _, _, _): queue.append(.reply(id, .response(.init(status: 200))))
            default: break
            }
          }
        }
      }
    }
    let perPartition = 250_000
    let claims = (0..<4).map { partition in
      (0..<perPartition).map { number in
        SinkRow(
          reference: RowReference(claim: 0, row: UInt32(number)),
          key: "0123456789abcdefghijklmnop.books.\(partition).0.\(number)",
          customer: Array("customer-\(number % 10_000)".utf8), meter: Array("api_calls".utf8),
          value: Quantity(units: Int128(number) * 1_000_000_007), timestampMilliseconds: epoch - Int64(number % 3_600))
      }
    }
    let start = ContinuousClock.now
    for (partition, rows) in claims.enumerated() {
      queue.append(
        .partitionOpened(
          Int32(partition), rows: rows, anchor: LedgerAnchor(ledgerMilliseconds: epoch, elapsedBeforeAppend: 0)))
    }
    turn()
    while settled < 4 * perPartition {
      now += 10
      queue.append(.tick)
      turn()
    }
    let seconds =
      Double((ContinuousClock.now - start).components.attoseconds) / 1e18
      + Double((ContinuousClock.now - start).components.seconds)
    print("measured: \(Int(Double(settled) / seconds)) rows/s through machine and webhook bodies (\(seconds) s)")
    #expect(settled == 4 * perPartition)
  }
}
