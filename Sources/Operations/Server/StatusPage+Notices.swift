internal import Daemon

// What needs a person, and what merely takes time: one notice each, with the command that helps.
extension StatusPage {
  struct Notice {
    var tone: Tone
    var title: String
    var text: String
    /// A command line to copy.
    var command: String?
  }

  /// Urgent ones first.
  var notices: [Notice] {
    let all = conservationNotices + partitionNotices + sinkNotices
    return all.filter { $0.tone == .bad } + all.filter { $0.tone != .bad }
  }

  private var conservationNotices: [Notice] {
    var notices: [Notice] = []
    if status.conservation.events != 0 {
      notices.append(
        Notice(
          tone: .bad, title: "The events do not add up",
          text: "\(PeopleText.count(status.conservation.events)) of the records consumed are neither counted, nor "
            + "duplicates, nor in quarantine. Keep the storage folder and the ledger as they are, and ask for help."))
    }
    for (sink, left) in status.conservation.quantity.sorted(by: { $0.key < $1.key }) where left != "0" {
      notices.append(
        Notice(
          tone: .bad, title: "The quantity at \(sink) does not add up",
          text: "\(left) of what was counted is in none of the places where it can be. Keep the storage folder and the "
            + "ledger as they are, and ask for help."))
    }
    return notices
  }

  private var partitionNotices: [Notice] {
    status.partitions.compactMap { partition in
      switch partition.state {
      case .stopped:
        return stopNotice(partition)
      case .blockedByTransaction:
        return Notice(
          tone: .waiting, title: "Partition \(partition.partition) waits for a producer's transaction",
          text: "A transaction is open at offset \(PeopleText.count(partition.position)): what is behind it can be "
            + "counted once it ends. Where it hangs, its producer has to be found.")
      case .recovering, .rebuilding, .counting, .draining: return nil
      }
    }
  }

  private func stopNotice(_ partition: PartitionStatus) -> Notice {
    let stop = partition.stop
    let isCommand = stop?.remedy.hasPrefix("meterd ") ?? false
    var text =
      "Reason \(stop?.reason ?? "unknown"), at offset \(PeopleText.count(stop?.offset ?? partition.position))"
    if let detail = stop?.detail, !detail.isEmpty { text += ": \(detail)" }
    text += ". It counts nothing until the stop is resolved; what Kafka has of it stays there."
    if let remedy = stop?.remedy, !isCommand { text += " The way out: \(remedy)." }
    return Notice(
      tone: .bad, title: "Partition \(partition.partition) stopped", text: text,
      command: isCommand ? stop?.remedy : nil)
  }

  private var sinkNotices: [Notice] {
    status.sinks.flatMap { sink -> [Notice] in
      var notices: [Notice] = []
      if sink.rows.uncertain > 0 {
        notices.append(
          Notice(
            tone: .bad, title: "\(PeopleText.count(Int(sink.rows.uncertain), "row")) at \(sink.name) uncertain",
            text: "They were sent, and nobody knows whether they had effect. meterd never sends them again by itself: "
              + "look them up at \(sink.provider)."))
      }
      if sink.rows.parked > 0 {
        notices.append(
          Notice(
            tone: .bad, title: "\(PeopleText.count(Int(sink.rows.parked), "row")) refused by \(sink.name)",
            text: "The provider said no to them, for good. Put right what it complains about, then send them again.",
            command: "meterd parked list --config FILE"))
      }
      switch sink.circuit {
      case .closed: break
      case .open:
        notices.append(
          Notice(
            tone: .waiting, title: "\(sink.name) does not answer",
            text:
              "One row is tried again in \(PeopleText.duration(seconds: sink.nextSendInSeconds)). Counting goes on; "
              + "nothing is lost, and what gathers is sent in fewer, wider rows."))
      case .probing:
        notices.append(
          Notice(
            tone: .waiting, title: "\(sink.name) is being tried",
            text: "One row is on its way; when it is taken, the others follow."))
      }
      return notices
    }
  }

  /// At most so many notices are spelt out: where a hundred partitions stop at once, it is for one reason.
  private static let shownAtMost = 12

  var attention: HTML {
    if notices.isEmpty { return "" }
    let shown = notices.prefix(Self.shownAtMost).map { notice -> HTML in
      let command: HTML = notice.command.map { "<pre><code>\($0)</code></pre>" } ?? ""
      return """
        <li class="\(notice.tone.rawValue)"><h3>\(notice.title)</h3><p>\(notice.text)</p>\(command)</li>

        """
    }
    let left = notices.count - shown.count
    let more: HTML = left > 0 ? "<p class=\"quiet\">and \(left) more; /v1/status has them all.</p>" : ""
    return """
      <section aria-label="What needs attention"><ul class="notices">
      \(Array(shown))</ul>\(more)</section>
      """
  }
}
