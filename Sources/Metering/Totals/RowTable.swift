internal import CHotPath

/// One open row: its identity in numbers of the range's interners, and its exact state. 64 bytes, one cache line.
package struct OpenTotal {
  package var customer: UInt32
  package var feature: UInt32
  package var dimensions: UInt32
  /// The commit since which the row is dirty; 0 marks a free slot.
  package var generation: UInt32
  /// Start of the time slot, Unix milliseconds.
  package var slotStart: Int64
  package var events: Int64
  package var units: Int128
  /// Greatest event time, Unix milliseconds.
  package var greatestTime: Int64
  /// Fills the cache line.
  private var padding: Int64 = 0

  package init(customer: UInt32, feature: UInt32, dimensions: UInt32, slotStart: Int64) {
    self.customer = customer
    self.feature = feature
    self.dimensions = dimensions
    generation = 0
    self.slotStart = slotStart
    events = 0
    units = 0
    greatestTime = .min
  }
}

/// The open rows of one range: open addressing by (customer, feature, dimensions, time slot), and the list of those
/// that changed since the last commit.
package struct RowTable: ~Copyable {
  private static let leastCapacity = 256

  private var slots: UnsafeMutablePointer<OpenTotal>
  private var capacity: Int
  /// Rows held.
  package private(set) var count = 0
  private var generation: UInt32 = 1
  private var dirty: UnsafeMutablePointer<UInt32>
  private var dirtyCount = 0

  /// A table that takes so many rows before it grows.
  package init(expecting rows: Int = 0) {
    precondition(MemoryLayout<OpenTotal>.stride == 64)
    capacity = Self.leastCapacity
    while capacity < rows * 2 { capacity *= 2 }
    slots = Self.allocate(capacity)
    dirty = .allocate(capacity: capacity / 2 + 1)
  }

  deinit {
    HotMemory.free(UnsafeMutableRawPointer(slots), capacity * 64)
    dirty.deallocate()
  }

  private static func allocate(_ capacity: Int) -> UnsafeMutablePointer<OpenTotal> {
    HotMemory.allocate(capacity * 64).bindMemory(to: OpenTotal.self, capacity: capacity)
  }

  @inline(__always) package static func hash(
    customer: UInt32, feature: UInt32, dimensions: UInt32, slotStart: Int64
  ) -> UInt64 {
    // Numbers are dense and given by us, so two odd multipliers and the product's upper half spread them well.
    let a = (UInt64(customer) << 32 | UInt64(feature)) &* 0x9e37_79b9_7f4a_7c15
    let b = (UInt64(bitPattern: slotStart) ^ UInt64(dimensions) << 44) &* 0xd6e8_feb8_6659_fd93
    let product = (a ^ b.byteSwapped).multipliedFullWidth(by: 0xa076_1d64_78bd_642f)
    return product.high ^ product.low
  }

  @inline(__always) package func prefetch(_ hash: UInt64) {
    meterd_prefetch_write(slots + (Int(truncatingIfNeeded: hash) & (capacity &- 1)))
  }

  /// Adds to a row, which is made where there is none. False where the exact sum does not fit: nothing is changed then.
  @inline(__always) package mutating func add(
    _ units: Int128, events: Int64, time: Int64, customer: UInt32, feature: UInt32, dimensions: UInt32,
    slotStart: Int64, hash: UInt64
  ) -> Bool {
    var index = Int(truncatingIfNeeded: hash) & (capacity &- 1)
    while slots[index].generation != 0 {
      let row = slots + index
      if row.pointee.customer == customer, row.pointee.feature == feature, row.pointee.slotStart == slotStart,
        row.pointee.dimensions == dimensions
      {
        let (sum, overflow) = row.pointee.units.addingReportingOverflow(units)
        if overflow { return false }
        row.pointee.units = sum
        row.pointee.events &+= events
        if time > row.pointee.greatestTime { row.pointee.greatestTime = time }
        if row.pointee.generation != generation { markDirty(index) }
        return true
      }
      index = (index &+ 1) & (capacity &- 1)
    }
    var row = OpenTotal(customer: customer, feature: feature, dimensions: dimensions, slotStart: slotStart)
    row.units = units
    row.events = events
    row.greatestTime = time
    insert(row, hash: hash)
    return true
  }

  @inline(__always) private mutating func markDirty(_ index: Int) {
    slots[index].generation = generation
    dirty[dirtyCount] = UInt32(truncatingIfNeeded: index)
    dirtyCount &+= 1
  }

  @inline(never) private mutating func insert(_ row: OpenTotal, hash: UInt64) {
    if (count + 1) * 2 > capacity { grow() }
    let index = freeSlot(hash)
    slots[index] = row
    count += 1
    markDirty(index)
  }

  private func freeSlot(_ hash: UInt64) -> Int {
    var index = Int(truncatingIfNeeded: hash) & (capacity - 1)
    while slots[index].generation != 0 { index = (index + 1) & (capacity - 1) }
    return index
  }

  private mutating func grow() {
    let old = slots
    let oldCapacity = capacity
    capacity *= 2
    slots = Self.allocate(capacity)
    dirty.deallocate()
    dirty = .allocate(capacity: capacity / 2 + 1)
    dirtyCount = 0
    for index in 0..<oldCapacity where old[index].generation != 0 {
      let row = old[index]
      let place = freeSlot(
        Self.hash(
          customer: row.customer, feature: row.feature, dimensions: row.dimensions, slotStart: row.slotStart))
      slots[place] = row
      if row.generation == generation { markDirty(place) }
    }
    HotMemory.free(UnsafeMutableRawPointer(old), oldCapacity * 64)
  }

  /// Puts a row of the journal in its place: the last one wins.
  package mutating func restore(_ row: OpenTotal) {
    let hash = Self.hash(
      customer: row.customer, feature: row.feature, dimensions: row.dimensions, slotStart: row.slotStart)
    var index = Int(truncatingIfNeeded: hash) & (capacity - 1)
    while slots[index].generation != 0 {
      if slots[index].customer == row.customer, slots[index].feature == row.feature,
        slots[index].slotStart == row.slotStart, slots[index].dimensions == row.dimensions
      {
        let generation = slots[index].generation
        slots[index] = row
        slots[index].generation = generation
        return
      }
      index = (index + 1) & (capacity - 1)
    }
    insert(row, hash: hash)
  }

  /// Calls `body` with every row that changed since the last call, which are clean from then on.
  package mutating func takeDirty(_ body: (borrowing OpenTotal) -> Void) {
    for index in 0..<dirtyCount {
      if index + 8 < dirtyCount { prefetch(place: Int(dirty[index + 8])) }
      body(slots[Int(dirty[index])])
    }
    dirtyCount = 0
    generation += 1
    // A generation lasts a commit: at one a second this takes 136 years.
    precondition(generation < .max)
  }

  /// Calls `body` with every row, in no order.
  package func forEach(_ body: (borrowing OpenTotal) -> Void) {
    for index in 0..<capacity where slots[index].generation != 0 { body(slots[index]) }
  }

  /// The same with the place of each row, for ``withRow(at:_:)``.
  package func forEachPlace(_ body: (_ place: Int, borrowing OpenTotal) -> Void) {
    for index in 0..<capacity where slots[index].generation != 0 { body(index, slots[index]) }
  }

  /// Asks for the row at a place, which will be read soon.
  @inline(__always) package func prefetch(place: Int) { meterd_prefetch_read(slots + place) }

  /// The row at a place; valid until the table changes.
  @inline(__always) package func withRow(at place: Int, _ body: (borrowing OpenTotal) -> Void) {
    precondition(place >= 0 && place < capacity)
    body(slots[place])
  }

  /// Rows changed since the last commit.
  package var dirtyRows: Int { dirtyCount }
}
