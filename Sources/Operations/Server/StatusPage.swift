internal import Daemon

/// The page at `/`: is all well, what needs a person, and the numbers behind it. It is complete without JavaScript; a
/// few lines of it keep the page fresh.
struct StatusPage {
  let status: DaemonStatus
  private let nonce: String

  init(_ status: DaemonStatus, nonce: String) {
    self.status = status
    self.nonce = nonce
  }

  var html: String {
    let page: HTML = """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <title>\(verdict.title) · meterd</title>
      <link rel="icon" href="data:,">
      <noscript><meta http-equiv="refresh" content="10"></noscript>
      <style nonce="\(nonce)">\(StatusPageAssets.style)</style>
      </head>
      <body>
      <main data-title="\(verdict.title) · meterd">
      \(heading)
      \(banner)
      \(attention)
      \(proof)
      \(sinks)
      \(partitions)
      \(footer)
      </main>
      <p id="lost" role="status" hidden>No answer from meterd. What is shown is from <time></time>.</p>
      <script nonce="\(nonce)">\(StatusPageAssets.script)</script>
      </body>
      </html>

      """
    return page.markup
  }

  // MARK: The verdict

  enum Tone: String { case good, waiting, bad }

  struct Verdict {
    var tone: Tone
    /// For the window's title.
    var title: String
    var headline: String
    var sentence: String
  }

  /// The whole page in one sentence: red where a person is needed, amber where meterd works it out by itself.
  var verdict: Verdict {
    let urgent = notices.filter { $0.tone == .bad }.count
    if urgent > 0 {
      return Verdict(
        tone: .bad, title: "\(urgent) need\(urgent == 1 ? "s" : "") a person",
        headline: urgent == 1 ? "One thing needs a person" : "\(urgent) things need a person",
        sentence: "Everything else goes on by itself. What to do is below.")
    }
    if !status.ready {
      return Verdict(
        tone: .waiting, title: "not ready", headline: "Getting ready",
        sentence: status.reasons.isEmpty ? "It joins the group and recovers." : status.reasons.joined(separator: " · "))
    }
    if !notices.isEmpty {
      return Verdict(
        tone: .waiting, title: "waiting", headline: "Working, and waiting for others",
        sentence: "Nothing is lost: it goes on by itself once they answer.")
    }
    if status.partitions.isEmpty {
      return Verdict(
        tone: .good, title: "standing by", headline: "Standing by",
        sentence: "Other members of the group have all the partitions; this one takes over when they go.")
    }
    return Verdict(
      tone: .good, title: "all is well", headline: "All is well",
      sentence: "Counting \(PeopleText.count(status.partitions.count, "partition")), reporting to "
        + "\(PeopleText.count(status.sinks.count, "sink")), \(lagSentence).")
  }

  private var lagSentence: String {
    let lag = status.partitions.reduce(0) { $0 &+ max(0, $1.lagRecords) }
    return lag == 0 ? "nothing behind" : "\(PeopleText.count(lag)) records behind"
  }

  private var heading: HTML {
    """
    <header>
    <h1>meterd</h1>
    <p><span>topic <b>\(status.kafka.topic)</b></span> <span>group <b>\(status.kafka.group)</b></span>
    <span>instance <b>\(status.instance)</b></span></p>
    </header>
    """
  }

  private var banner: HTML {
    let mark: HTML =
      switch verdict.tone {
      case .good: #"<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M5 12.5l4.5 4.5L19 7.5"/></svg>"#
      case .waiting: #"<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 6v6.5l4 2.5"/></svg>"#
      case .bad: #"<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 5.5v8M12 17.6v.9"/></svg>"#
      }
    return """
      <section class="banner \(verdict.tone.rawValue)">
      <div class="mark">\(mark)</div>
      <div><h2>\(verdict.headline)</h2><p>\(verdict.sentence)</p></div>
      </section>
      """
  }

  private var footer: HTML {
    """
    <footer>
    <p>meterd \(status.version), up since <time datetime="\(status.startedAt)">\(status.startedAt)</time>\
    \(status.kafka.clusterID.isEmpty ? "" : ", cluster \(status.kafka.clusterID)")</p>
    <p class="links"><a href="/v1/status">JSON</a> <a href="/metrics">metrics</a> <a href="/healthz/ready">ready</a></p>
    </footer>
    """
  }
}
