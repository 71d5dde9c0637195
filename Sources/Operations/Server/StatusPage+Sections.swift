internal import Daemon

// The numbers: the proof, the sinks, the partitions.
extension StatusPage {
  // MARK: Conservation

  var proof: HTML {
    // Zeros of an instance that counts nothing would prove nothing.
    if status.partitions.isEmpty, status.conservation.holds { return "" }
    let conservation = status.conservation
    let quantities = conservation.quantity.sorted { $0.key < $1.key }.map { sink, left in
      equation(
        "counted quantity", "settled, in flight, waiting or set aside at <b>\(sink)</b>", left: left, holds: left == "0"
      )
    }
    return """
      <section class="proof"><h2>\(conservation.holds ? "Nothing lost, nothing invented" : "It does not add up")</h2>
      <table>
      \(equation("consumed records", "counted + duplicate + quarantined", left: PeopleText.count(conservation.events), holds: conservation.events == 0))\(quantities)</table>
      </section>
      """
  }

  private func nextSend(of sink: SinkStatus) -> String {
    if sink.nextSendInSeconds > 0 { return "in \(PeopleText.duration(seconds: sink.nextSendInSeconds))" }
    return sink.rows.inFlight + sink.rows.deferred > 0 ? "now" : "–"
  }

  private func equation(_ whole: HTML, _ parts: HTML, left: String, holds: Bool) -> HTML {
    """
    <tr class="\(holds ? "good" : "bad")"><td>\(whole) <i>−</i> \(parts)</td>\
    <td class="number"><i>=</i> <b>\(left)</b></td><td class="tick">\(holds ? "✓" : "✗")</td></tr>

    """
  }

  // MARK: Sinks

  var sinks: HTML {
    if status.sinks.isEmpty { return "" }
    let rows = status.sinks.map { sink -> HTML in
      """
      <tr><th scope="row">\(sink.name)<small>\(sink.provider)\(sink.account.isEmpty ? "" : " · \(sink.account)")</small></th>
      <td>\(circuit(sink.circuit))</td>
      \(number(sink.rows.inFlight))\(number(sink.rows.deferred, tone: .waiting))\(number(sink.rows.parked, tone: .bad))\
      \(number(sink.rows.uncertain, tone: .bad))
      <td class="number">\(sink.oldestUnsettledAgeSeconds > 0 ? PeopleText.duration(seconds: sink.oldestUnsettledAgeSeconds) : "–")</td>
      <td class="number">\(nextSend(of: sink))</td></tr>

      """
    }
    return """
      <section><h2>Sinks</h2><div class="scroll"><table>
      <thead><tr><th scope="col">sink</th><th scope="col">circuit</th><th scope="col" class="number">in flight</th>
      <th scope="col" class="number">deferred</th><th scope="col" class="number">parked</th>
      <th scope="col" class="number">uncertain</th><th scope="col" class="number">oldest unsettled</th>
      <th scope="col" class="number">next send</th></tr></thead>
      <tbody>
      \(rows)</tbody></table></div></section>
      """
  }

  private func circuit(_ circuit: SinkStatus.Circuit) -> HTML {
    switch circuit {
    case .closed: pill(.good, "closed")
    case .open: pill(.waiting, "open")
    case .probing: pill(.waiting, "probing")
    }
  }

  private func number(_ value: Int64, tone: Tone? = nil) -> HTML {
    let tones: HTML = value != 0 ? tone.map { " \($0.rawValue)" } ?? "" : " zero"
    return "<td class=\"number\(tones)\">\(PeopleText.count(value))</td>"
  }

  private func pill(_ tone: Tone, _ text: String) -> HTML { "<span class=\"pill \(tone.rawValue)\">\(text)</span>" }

  // MARK: Partitions

  /// Up to so many partitions are a table; more are tiles first, the table folded away.
  private static let tableAtMost = 12

  var partitions: HTML {
    let all = status.partitions
    let title: HTML = "<h2>Partitions <small>\(summary(all))</small></h2>"
    if all.isEmpty {
      return "<section>\(title)<p class=\"quiet\">No partition is assigned to this instance now.</p></section>"
    }
    if all.count <= Self.tableAtMost { return "<section>\(title)\(table(all))</section>" }
    let remarkable = all.filter { $0.state != .counting }
    let tiles = all.map { partition -> HTML in
      """
      <li class="\(tone(partition.state).rawValue)" title="partition \(partition.partition): \(name(partition.state)), \
      \(PeopleText.count(partition.lagRecords)) behind">\(partition.partition)</li>
      """
    }
    return """
      <section>\(title)<ul class="tiles">\(tiles)</ul>
      \(remarkable.isEmpty ? "" : table(Array(remarkable.prefix(Self.tableAtMost))))
      <details id="all-partitions"><summary>All \(all.count) partitions</summary>\(table(all))</details></section>
      """
  }

  private func summary(_ all: [PartitionStatus]) -> String {
    PartitionStatus.State.allCases.compactMap { state in
      let count = all.filter { $0.state == state }.count
      return count > 0 ? "\(count) \(name(state))" : nil
    }.joined(separator: ", ")
  }

  private func table(_ partitions: [PartitionStatus]) -> HTML {
    let rows = partitions.map { partition -> HTML in
      let progress: HTML = partition.progress.map { "<small>\($0)</small>" } ?? ""
      return """
        <tr><th scope="row">\(partition.partition)</th>
        <td>\(pill(tone(partition.state), name(partition.state)))\(progress)</td>
        \(number(partition.lagRecords))\(number(partition.position))\(number(partition.head))\(number(partition.openRows))</tr>

        """
    }
    return """
      <div class="scroll"><table>
      <thead><tr><th scope="col">partition</th><th scope="col">state</th><th scope="col" class="number">behind</th>
      <th scope="col" class="number">position</th><th scope="col" class="number">head</th>
      <th scope="col" class="number">open rows</th></tr></thead>
      <tbody>
      \(rows)</tbody></table></div>
      """
  }

  private func tone(_ state: PartitionStatus.State) -> Tone {
    switch state {
    case .counting: .good
    case .recovering, .rebuilding, .blockedByTransaction, .draining: .waiting
    case .stopped: .bad
    }
  }

  private func name(_ state: PartitionStatus.State) -> String {
    state == .blockedByTransaction ? "blocked by a transaction" : state.rawValue
  }
}
