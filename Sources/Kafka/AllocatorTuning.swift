internal import CRdkafka

/// How the process's memory is handed out, for programs that consume and produce much.
public enum AllocatorTuning {
  /// Suits the C library to librdkafka, whose threads free what other threads have allocated. Speed only; to be called
  /// first thing.
  ///
  /// Short pieces are kept apart until some larger one is asked for, and then joined to their neighbours all at once,
  /// under the lock that the other threads wait for. Joined one by one they cost less: 2 to 5 % of the CPU time where 10 %
  /// of the events are bad (each is produced with five headers), 1 % where none is.
  public static func apply() { kafka_avoid_fast_bins() }
}
