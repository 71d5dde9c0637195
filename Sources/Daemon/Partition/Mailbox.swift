internal import Dispatch
internal import Kafka
internal import Synchronization

/// What other threads have for a worker, in order, and how the worker is woken for it.
///
/// A worker is idle, has a turn coming, or waits in a read of its stream: `post` schedules a turn in the first case,
/// does nothing in the second, and interrupts the read in the third.
final class Mailbox<Letter: Sendable>: Sendable {
  private struct State {
    var letters: [Letter] = []
    var isScheduled = false
    var waitingIn: PartitionStream?
  }
  private let state = Mutex(State())
  private let queue: DispatchQueue
  private let turn = Mutex(Turn())

  // In a struct: a closure that is itself a mutex's value is wrapped in two thunks more by every access.
  private struct Turn {
    var run: (@Sendable () -> Void)?
  }

  /// A mailbox whose turns run on `queue`.
  init(queue: DispatchQueue) { self.queue = queue }

  /// What a turn does; set once, before the first letter.
  func onTurn(_ run: @escaping @Sendable () -> Void) { turn.withLock { $0.run = run } }

  /// Leaves a letter.
  func post(_ letter: Letter) {
    let schedules = state.withLock { state in
      state.letters.append(letter)
      // Under the lock: the worker takes the stream back before it stops it.
      state.waitingIn?.interrupt()
      defer { state.isScheduled = true }
      return !state.isScheduled
    }
    if schedules { schedule() }
  }

  /// Makes a turn come, letters or not.
  func wake() {
    let schedules = state.withLock { state in
      defer { state.isScheduled = true }
      return !state.isScheduled
    }
    if schedules { schedule() }
  }

  /// All letters so far; by the worker.
  func take() -> [Letter] {
    state.withLock { state in
      defer { state.letters = [] }
      return state.letters
    }
  }

  /// Whether a letter waits.
  var hasLetters: Bool { state.withLock { !$0.letters.isEmpty } }

  /// Ends a turn: another one comes at once if `again` or a letter has come meanwhile; else the worker is idle.
  func endTurn(again: Bool) {
    let schedules = state.withLock { state in
      state.isScheduled = again || !state.letters.isEmpty
      return state.isScheduled
    }
    if schedules { schedule() }
  }

  /// Runs a read that waits; a letter that comes meanwhile interrupts it.
  ///
  /// - Returns: false where a letter was there already: then the read must not wait.
  func beginWaiting(in stream: PartitionStream) -> Bool {
    state.withLock { state in
      guard state.letters.isEmpty else { return false }
      state.waitingIn = stream
      return true
    }
  }

  /// The read is over.
  func endWaiting() { state.withLock { $0.waitingIn = nil } }

  private func schedule() {
    guard let run = turn.withLock({ $0.run }) else { return }
    queue.async(execute: run)
  }
}
