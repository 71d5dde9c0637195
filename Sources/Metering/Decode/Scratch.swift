/// Memory for what cannot be a slice of a record: unescaped strings and canonical dimensions.
///
/// What was written stays where it is until ``reset()``; when a block is full, a larger one is added. Owns its blocks
/// (raw memory, since slices of it are handed out), so it is not copyable.
struct Scratch: ~Copyable {
  private var base: UnsafeMutableRawPointer
  private var capacity: Int
  private var used = 0
  private var full: [UnsafeMutableRawPointer] = []

  init(capacity: Int = 65_536) {
    base = .allocate(byteCount: capacity, alignment: 16)
    self.capacity = capacity
  }

  deinit {
    base.deallocate()
    for block in full { block.deallocate() }
  }

  /// Room for `count` bytes; ``commit(_:)`` keeps them.
  mutating func reserve(_ count: Int) -> UnsafeMutableRawPointer {
    if capacity - used < count {
      full.append(base)
      capacity = max(capacity * 2, count)
      base = .allocate(byteCount: capacity, alignment: 16)
      used = 0
    }
    return base + used
  }

  /// Keeps the first `count` bytes of what was reserved last.
  mutating func commit(_ count: Int) -> ByteSlice {
    let slice = ByteSlice(start: base + used, count: count)
    used += count
    return slice
  }

  /// Gives everything up; the largest block is kept.
  mutating func reset() {
    used = 0
    guard !full.isEmpty else { return }
    for block in full { block.deallocate() }
    full.removeAll(keepingCapacity: true)
  }
}
