internal import Glibc

/// The clocks of the machine. Only the daemon reads them; the machines are told.
public enum Clock {
  /// Milliseconds since the boot, suspension counted (CLOCK_BOOTTIME): for durations and deadlines.
  public static func elapsedMilliseconds() -> Int64 { read(CLOCK_BOOTTIME) }
  /// Unix milliseconds by the machine's clock, which may be wrong: for people, and for asking Kafka about times.
  public static func unixMilliseconds() -> Int64 { read(CLOCK_REALTIME) }
  /// Nanoseconds since the boot, suspension counted.
  public static func elapsedNanoseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  /// Blocks the calling thread; never for the cooperative pool.
  static func sleep(milliseconds: Int64) {
    var time = timespec(tv_sec: Int(milliseconds / 1_000), tv_nsec: Int(milliseconds % 1_000) * 1_000_000)
    var left = timespec()
    while nanosleep(&time, &left) != 0 && errno == EINTR { time = left }
  }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
  }
}
