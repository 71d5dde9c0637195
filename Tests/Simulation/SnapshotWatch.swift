import Metering

/// A fold that starts from any snapshot equals the fold from the beginning, at every later record.
///
/// Each SNAPSHOT in the ledger is restored when its SEAL lands (also one that did not stand: its writer had lost the
/// ownership by then), goes on from its own `through`, and is compared whole. From there on the latest ones are led along:
/// what each record changes is compared at every record, the whole state at the first eight, at every sixteenth, and when
/// a fold is let go. A fold's future is a function of its state and the records, so that one that was once found equal
/// stays so; comparing on is to notice should that cease to be true.
struct SnapshotWatch {
  private struct Follower {
    var fold: LedgerFold
    var age = 0
    var from: Int64
  }

  private static let followers = 3
  private let partition: Int32
  private var finder = SnapshotFinder()
  private var following: [Follower] = []
  private var entries: [LedgerEntry] = []

  init(partition: Int32) { self.partition = partition }

  /// What differs, in words.
  mutating func take(_ entry: LedgerEntry, change: LedgerChange, fold: LedgerFold) -> String? {
    entries.append(entry)
    for index in following.indices {
      do {
        let own = try following[index].fold.apply(entry)
        following[index].age += 1
        if own != change {
          return "from the snapshot at \(following[index].from) record \(entry.offset) is \(own), not \(change)"
        }
      } catch {
        return "the fold from the snapshot at \(following[index].from) stops: \(error)"
      }
      let age = following[index].age
      if age <= 8 || age % 16 == 0, following[index].fold != fold {
        return "the fold from the snapshot at \(following[index].from) is another one at \(entry.offset)"
      }
    }
    guard let (payloads, through) = finder.add(entry) else { return nil }
    return follow(payloads, through: through, fold)
  }

  /// The parts that differ, by name.
  private static func difference(_ left: LedgerFold, _ right: LedgerFold) -> String {
    zip(Mirror(reflecting: left).children, Mirror(reflecting: right).children).compactMap { left, right in
      let texts = ("\(left.value)", "\(right.value)")
      return texts.0 == texts.1 ? nil : "\(left.label ?? ""): \(texts.0.prefix(400)) / \(texts.1.prefix(400))"
    }.joined(separator: "; ")
  }

  private mutating func follow(_ payloads: [[UInt8]], through: Int64, _ fold: LedgerFold) -> String? {
    do {
      var own = try LedgerFold(snapshot: payloads, through: through, partition: partition)
      for entry in entries[Int(own.nextOffset)...] { _ = try own.apply(entry) }
      if own != fold {
        return "the fold from the snapshot through \(through) is another one at its SEAL: \(Self.difference(own, fold))"
      }
      following.append(Follower(fold: own, from: through))
    } catch {
      return "the snapshot through \(through) cannot be folded on: \(error)"
    }
    guard following.count > Self.followers else { return nil }
    let oldest = following.removeFirst()
    return oldest.fold == fold ? nil : "the fold from the snapshot at \(oldest.from) is another one at the end"
  }
}
