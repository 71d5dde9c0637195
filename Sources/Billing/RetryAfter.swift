/// What a reply asks to wait (RFC 9110, section 10.2.3): seconds, or a date against the reply's own `Date`, so that no
/// clock of ours is needed.
enum RetryAfter {
  /// A provider that asks for more is asked again after this.
  static let longestMilliseconds: Int64 = 3_600_000

  /// Milliseconds to wait; nil where the reply does not say.
  static func milliseconds(_ response: ProviderReply.Response) -> Int64? {
    guard let text = response.header("Retry-After") else { return nil }
    if let seconds = Int64(text), seconds >= 0 { return min(seconds, longestMilliseconds / 1_000) * 1_000 }
    guard let until = CalendarText.unixSeconds(httpDate: text),
      let now = response.header("Date").flatMap(CalendarText.unixSeconds(httpDate:))
    else { return nil }
    return min(max(0, until - now), longestMilliseconds / 1_000) * 1_000
  }
}
