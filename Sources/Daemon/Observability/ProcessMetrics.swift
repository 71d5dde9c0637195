internal import Glibc

/// The `process_*` metrics, under the names that Prometheus clients share
/// (prometheus.io/docs/instrumenting/writing_clientlibs, "Process metrics"), read from Linux's /proc at each scrape.
struct ProcessMetrics: Sendable {
  private let cpuSeconds: CounterFamily<NoLabels>
  private let openFileDescriptors: GaugeFamily<NoLabels>
  private let maximumFileDescriptors: GaugeFamily<NoLabels>
  private let virtualMemoryBytes: GaugeFamily<NoLabels>
  private let residentMemoryBytes: GaugeFamily<NoLabels>
  private let startTimeSeconds: GaugeFamily<NoLabels>
  private let threads: GaugeFamily<NoLabels>

  init(registry r: MetricsRegistry) {
    cpuSeconds = r.counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.")
    openFileDescriptors = r.gauge("process_open_fds", "Number of open file descriptors.")
    maximumFileDescriptors = r.gauge("process_max_fds", "Maximum number of open file descriptors.")
    virtualMemoryBytes = r.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.")
    residentMemoryBytes = r.gauge("process_resident_memory_bytes", "Resident memory size in bytes.")
    startTimeSeconds = r.gauge("process_start_time_seconds", "Start time of the process since Unix epoch in seconds.")
    threads = r.gauge("process_threads", "Number of threads of the process.")
  }

  func collectAtScrape(of registry: MetricsRegistry) {
    registry.addCollector { collect() }
  }

  private func collect() {
    var usage = rusage()
    if getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
      let microseconds =
        (Int64(usage.ru_utime.tv_sec) + Int64(usage.ru_stime.tv_sec)) * 1_000_000
        + Int64(usage.ru_utime.tv_usec) + Int64(usage.ru_stime.tv_usec)
      cpuSeconds.cell.raise(to: UInt64(max(0, microseconds)) * 1_000)
    }
    var limit = rlimit()
    if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
      maximumFileDescriptors.cell.set(limit.rlim_cur == rlim_t.max ? .infinity : Double(limit.rlim_cur))
    }
    if let open = Self.countEntries(of: "/proc/self/fd") { openFileDescriptors.cell.set(Int64(open)) }
    if let statistics = Self.statistics() {
      virtualMemoryBytes.cell.set(statistics.virtualBytes)
      residentMemoryBytes.cell.set(statistics.residentBytes)
      threads.cell.set(statistics.threads)
      if let boot = Self.bootTimeSeconds {
        startTimeSeconds.cell.set(boot + Double(statistics.startTicks) / Double(sysconf(Int32(_SC_CLK_TCK))))
      }
    }
  }

  private struct Statistics {
    var virtualBytes: Int64
    var residentBytes: Int64
    var threads: Int64
    var startTicks: Int64
  }

  /// Fields 20, 22, 23 and 24 of /proc/self/stat (man 5 proc), counted after the command's name in parentheses.
  private static func statistics() -> Statistics? {
    guard let text = contents(of: "/proc/self/stat"), let end = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: end)...].split(separator: " ")
    guard fields.count > 21, let threads = Int64(fields[17]), let start = Int64(fields[19]),
      let size = Int64(fields[20]), let pages = Int64(fields[21])
    else { return nil }
    return Statistics(
      virtualBytes: size, residentBytes: pages * Int64(sysconf(Int32(_SC_PAGESIZE))), threads: threads,
      startTicks: start)
  }

  /// `btime` of /proc/stat: when the system booted, Unix seconds.
  private static let bootTimeSeconds: Double? = {
    guard let text = contents(of: "/proc/stat") else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix("btime ") { return Double(line.dropFirst(6)) }
    return nil
  }()

  /// The whole of a small file of /proc, which has no size to ask for.
  private static func contents(of path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16_384)
    while true {
      let count = read(descriptor, &chunk, chunk.count)
      if count < 0 { return nil }
      if count == 0 { return String(decoding: bytes, as: UTF8.self) }
      bytes.append(contentsOf: chunk[0..<count])
    }
  }

  /// Entries of a folder but `.`, `..` and the descriptor that reads it.
  private static func countEntries(of path: String) -> Int? {
    guard let folder = opendir(path) else { return nil }
    defer { closedir(folder) }
    var count = 0
    while readdir(folder) != nil { count += 1 }
    return max(0, count - 3)
  }
}
