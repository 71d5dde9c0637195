import Metering

// The local folder.
extension PartitionHost {
  func openStorage(_ plan: RecoveryPlan.Local) {
    switch plan {
    case .use: break
    case .cutBack: if let wrong = process.disks[partition].cutBack() { world.fail(wrong) }
    case .rebuild:
      process.disks[partition] = SimulatedDisk()
      if isPartialAccepted { process.disks[partition].retainedFrom = inspectedLow }
    }
    world.writers[nonce]?.retainedFrom = process.disks[partition].retainedFrom
    let disk = process.disks[partition]
    machine.prepare(sealed: disk.segments)
    for chunk in disk.chunks {
      chunk.bytes.withUnsafeBytes { raw in
        do {
          try machine.restore(JournalChunkView(raw))
        } catch {
          let chunks = disk.chunks.map { "[\($0.from), \($0.to))" }.joined(separator: " ")
          world.fail("\(plan): \(error) at [\(chunk.from), \(chunk.to)) of \(chunks)")
        }
      }
    }
    if plan == .use, machine.hasFrozenRange { world.coverage.note("recovery: restored with a frozen range") }
    handle(.storageOpened)
  }

  /// Whether an index that does not hold the whole window is good enough.
  private var isPartialAccepted: Bool {
    world.scenario.settings.allowPartialRebuild
      || world.watches[partition].fold.resolution(
        reason: StopReason.Code.windowNotRetained.rawValue, offset: machine.picture().head) != nil
  }

  /// One queue, in order.
  func enqueue(_ command: StorageCommand) {
    commands.append(command)
    storageTime = max(storageTime + 1, world.now + world.delay(50))
    process.after(storageTime - world.now) { [weak self] in
      guard let self, !isClosed, !commands.isEmpty else { return }
      let command = commands.removeFirst()
      if process.isDiskFull {
        process.isDiskFull = false
        world.coverage.note("fault: disk full")
        commands = []
        return handle(.storageFailed(detail: "simulated"))
      }
      let sealed = write(command)
      switch command {
      case .commit: handle(.committed)
      case .seal:
        guard let sealed else { return }
        machine.sealed(sealed, now: process.elapsed)
        carryOut()
      case .expire: break
      }
    }
  }

  @discardableResult func write(_ command: StorageCommand) -> SimulatedSegment? {
    trace(command.summary)
    switch command {
    case .commit(let chunks, let state):
      if let wrong = process.disks[partition].commit(chunks, state) { world.fail(wrong) }
    case .seal(let segment):
      let sealed = SimulatedSegment(segment)
      if machine.phaseDescription.hasPrefix("replaying") { world.coverage.note("recovery: sealed within a replay") }
      if process.disks[partition].segments.contains(where: { $0.bucket == sealed.bucket }) {
        world.coverage.note("warm: sealed within a bucket")
      }
      if let wrong = process.disks[partition].add(sealed) { world.fail(wrong) }
      return sealed
    case .expire(let bucket): process.disks[partition].expire(below: bucket)
    }
    return nil
  }
}

extension StorageCommand {
  var summary: String {
    switch self {
    case .commit(let chunks, let state):
      let ranges = chunks.map { "[\($0.from), \($0.to)) \($0.sightings)" }.joined(separator: " ")
      return "commit \(ranges) head \(state.headOffset) next \(state.nextOffset)"
    case .seal(let segment):
      return "seal bucket \(segment.bucket) keys \(segment.count) through \(segment.throughOffset)"
    case .expire(let below): return "expire below \(below)"
    }
  }
}
