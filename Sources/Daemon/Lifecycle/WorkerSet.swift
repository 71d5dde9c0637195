internal import Dispatch
internal import Metering
internal import Synchronization

/// The partition workers of a process, by partition: opened when partitions are assigned, drained and closed when they
/// are taken away.
final class WorkerSet: Sendable {
  private let workers = Mutex<[Int32: PartitionWorker]>([:])

  var all: [PartitionWorker] { workers.withLock { $0.values.sorted { $0.partition < $1.partition } } }

  func worker(_ partition: Int32) -> PartitionWorker? { workers.withLock { $0[partition] } }

  /// Opens workers for partitions that have none.
  func open(_ partitions: [Int32], in environment: PartitionEnvironment) {
    let opened = workers.withLock { workers in
      var opened: [PartitionWorker] = []
      for partition in partitions where workers[partition] == nil {
        let worker = PartitionWorker(partition: partition, environment: environment)
        workers[partition] = worker
        opened.append(worker)
      }
      Self.shareMemory(workers)
      return opened
    }
    for worker in opened { worker.open() }
  }

  /// `dedup.max_memory` is for all partitions of a process together: each has an equal share of it.
  private static func shareMemory(_ workers: [Int32: PartitionWorker]) {
    for worker in workers.values {
      let share = max(1 << 20, worker.environment.settings.memoryLimit / workers.count)
      worker.memoryShare.store(share, ordering: .relaxed)
    }
  }

  /// Has the machines cut and claim what they have, all at once; waits for at most so long.
  func drain(_ partitions: [Int32], milliseconds: Int64) {
    let group = DispatchGroup()
    for partition in partitions {
      guard let worker = worker(partition) else { continue }
      group.enter()
      worker.drain { group.leave() }
    }
    _ = group.wait(timeout: .now() + .milliseconds(Int(milliseconds)))
  }

  /// Closes workers, all at once, and waits for them.
  func close(_ partitions: [Int32]) {
    let closing = workers.withLock { workers in partitions.compactMap { workers.removeValue(forKey: $0) } }
    DispatchQueue.concurrentPerform(iterations: closing.count) { closing[$0].close() }
    // Not before: until now their tables were there.
    workers.withLock { Self.shareMemory($0) }
  }
}
