internal import Synchronization

/// A flag that is set once, from any thread.
final class Flag: Sendable {
  private let value = Atomic(false)

  /// Whether it has been set.
  var isSet: Bool { value.load(ordering: .acquiring) }

  /// Sets it; true for the first caller.
  @discardableResult
  func set() -> Bool { !value.exchange(true, ordering: .acquiringAndReleasing) }
}
