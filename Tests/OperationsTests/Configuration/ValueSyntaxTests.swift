import Daemon
import Operations
import Testing

@Suite struct ValueSyntaxTests {
  @Test(arguments: [
    ("60s", 60_000), ("24h", 86_400_000), ("35d", 3_024_000_000), ("1h30m", 5_400_000), ("250ms", 250), ("0s", 0),
    ("1d12h", 129_600_000), ("1m1s1ms", 61_001),
  ])
  func durations(_ text: String, _ milliseconds: Int64) {
    #expect(ValueSyntax.duration(text)?.wholeMilliseconds == milliseconds)
    #expect(ValueSyntax.duration(ValueSyntax.text(.milliseconds(milliseconds))) == .milliseconds(milliseconds))
  }

  @Test(arguments: ["", "60", "s", "1.5h", "-1s", "1h1h", "30m1h", "1 h", "1H", "106751991168d", "1s ", "+1s"])
  func notDurations(_ text: String) { #expect(ValueSyntax.duration(text) == nil) }

  @Test(arguments: [
    ("64MiB", 64 << 20), ("1GiB", 1 << 30), ("512B", 512), ("3KiB", 3_072), ("0B", 0), ("1TiB", 1 << 40),
  ])
  func sizes(_ text: String, _ bytes: Int64) {
    #expect(ValueSyntax.bytes(text) == bytes)
    #expect(ValueSyntax.bytes(ValueSyntax.text(bytes: bytes)) == bytes)
  }

  @Test(arguments: ["", "1", "1GB", "1MiB1KiB", "9999999999TiB", "-1B"])
  func notSizes(_ text: String) { #expect(ValueSyntax.bytes(text) == nil) }

  @Test(arguments: [
    ("1970-01-01T00:00:00Z", 0), ("2026-11-21T12:49:44.007Z", 1_795_265_384_007),
    ("2026-11-21T13:49:44.0079+01:00", 1_795_265_384_007), ("2000-02-29T23:59:60Z", 951_868_800_000),
    ("1969-12-31T23:59:59.999-00:00", -1), ("2026-01-01t00:00:00z", 1_767_225_600_000),
  ])
  func instants(_ text: String, _ milliseconds: Int64) {
    #expect(ValueSyntax.instant(text) == milliseconds)
    #expect(ValueSyntax.instant(Timestamp.rfc3339(milliseconds: milliseconds)) == milliseconds)
  }

  @Test(arguments: [
    "", "2026-11-21", "2026-11-21T12:49:44", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z",
    "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+1:00", "2026-01-01T00:00:00Z ", "2026-01-00T00:00:00Z",
  ])
  func notInstants(_ text: String) { #expect(ValueSyntax.instant(text) == nil) }

  @Test func printedInstantsAgreeWithReadOnesOverCenturies() {
    var milliseconds: Int64 = -62_135_596_800_000
    while milliseconds < 253_402_300_800_000 {
      #expect(ValueSyntax.instant(Timestamp.rfc3339(milliseconds: milliseconds)) == milliseconds)
      milliseconds += 86_400_000 * 317 + 12_345_678
    }
  }

  @Test(arguments: [
    ("intervall", "interval"), ("buckets", nil), ("MAX_ROWS", "max_rows"), ("tiem_slot", "time_slot"), ("", nil),
  ])
  func nearest(_ typed: String, _ meant: String?) {
    #expect(nearestName(to: typed, among: ["interval", "time_slot", "max_rows"]) == meant)
  }
}
