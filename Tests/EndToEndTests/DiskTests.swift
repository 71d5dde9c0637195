import Foundation
import ProviderFakes
import Testing

extension WholeBinary {
  /// A disk that is full, or takes no writes: what cannot go on stops and says why, nothing is corrupt, and totals are
  /// exact once the disk is well again.
  @Suite("Disk full and read-only") struct DiskTests {
    @Test("a full disk stops the partitions, and is survived") func full() throws {
      let rig = try DaemonRig("disk")
      rig.sinks = ["webhook"]
      let instance = try Instance(rig, "one")
      let publisher = try UsagePublisher(rig, seed: Surroundings.seed)
      let disk = try MountNamespace(over: instance.storage, megabytes: 24, log: "\(rig.folder)/namespace.log")
      note(
        disk == nil
          ? "disk full: no user namespace here, so ENOSPC comes by fault point at the journal's sync"
          : "disk full: a tmpfs of 24 MB in a user namespace is filled up")
      defer { disk?.close() }
      try rig.run([instance], publisher) {
        publisher.start()
        try instance.start(diskFault: disk == nil ? "journalSync:ENOSPC:12" : nil, in: disk)
        try instance.waitUntilReady()
        #expect(poll(seconds: 30) { rig.webhook.effects.keyCount > 0 }, "\(instance.explanation())")
        // dd ends with "no space left", which is what is wanted of it.
        _ = try disk?.run("dd if=/dev/zero of=\"$1\"/filler bs=4k")
        try expectStops(instance, "no space left")
        note("stopped: storage_failed")
        try instance.stopGracefully()
        // Still full: it stops again, and does no harm.
        try instance.start(diskFault: disk == nil ? "journalWrite:ENOSPC:1" : nil, in: disk)
        try expectStops(instance, "no space left")
        instance.kill()
        #expect(try disk?.run("rm \"$1\"/filler") != false)
        try instance.start(in: disk)
        try expectExact(rig, instance, publisher)
      }
    }

    @Test("a disk that becomes read-only stops the partitions, and is survived") func readOnly() throws {
      let rig = try DaemonRig("readonly")
      rig.sinks = ["webhook"]
      let instance = try Instance(rig, "one")
      let publisher = try UsagePublisher(rig, seed: Surroundings.seed)
      // A file system with open files cannot be made read-only from outside, as the kernel does it after an error.
      note("disk read-only: EROFS by fault point at the journal's write")
      try rig.run([instance], publisher) {
        publisher.start()
        try instance.start(diskFault: "journalWrite:EROFS:12")
        try instance.waitUntilReady()
        try expectStops(instance, "read-only file system")
        instance.kill()
        try instance.start()
        try expectExact(rig, instance, publisher)
      }
    }

    @Test("a storage folder that is read-only from the start is 78, and named") func readOnlyStart() throws {
      let rig = try DaemonRig("rostart")
      rig.sinks = ["webhook"]
      let instance = try Instance(rig, "one")
      let log = "\(rig.folder)/namespace.log"
      guard let disk = try MountNamespace(over: instance.storage, megabytes: 8, log: log) else {
        note("read-only from the start: not run, since the machine permits no user namespace")
        return try rig.close()
      }
      note("read-only from the start: a tmpfs in a user namespace")
      defer { disk.close() }
      #expect(try disk.run("mount -o remount,ro \"$1\""))
      try instance.start(in: disk)
      let end = try instance.process?.wait(seconds: 30)
      #expect(end == .exited(78), "\(instance.log)")
      #expect(
        instance.log.contains("storage.path") && instance.log.contains("Read-only file system"), "\(instance.log)")
      #expect(try disk.run("mount -o remount,rw \"$1\""))
      try instance.start(in: disk)
      try instance.waitUntilReady()
      try instance.stopGracefully()
      try rig.close()
    }

    /// Every place where an operator may look says what, where, and what to do.
    private func expectStops(_ instance: Instance, _ what: String) throws {
      let all = Set(0..<DaemonRig.partitions)
      for stop in try instance.waitUntilStopped("storage_failed", partitions: all) {
        #expect(stop.detail.contains(what) && stop.detail.contains(instance.storage), "\(stop.detail)")
        #expect(stop.remedy.contains("restart"), "\(stop.remedy)")
      }
      #expect(instance.metric("meterd_partition_state", "state=\"stopped\"") == Double(DaemonRig.partitions))
      #expect(instance.log.contains("partition.stopped") && instance.log.contains("reason=storage_failed"))
      #expect(!instance.isReady())
      // What waits in Kafka shows as lag, also while nothing is read.
      try instance.waitUntil("lag shows") { $0.partitions.contains { $0.lag_records > 0 } }
    }

    private func expectExact(_ rig: DaemonRig, _ instance: Instance, _ publisher: UsagePublisher) throws {
      try instance.waitUntilReady()
      try publisher.stop()
      try rig.waitUntilExact(publisher.expected, seconds: 60, [instance])
      try rig.waitUntilConserved(instance)
      try instance.stopGracefully()
      #expect(rig.differences(publisher.expected) == [])
      #expect(rig.violations() == [])
    }
  }
}
