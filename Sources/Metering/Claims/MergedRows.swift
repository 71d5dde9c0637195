/// The rows of a claim while cuts are merged into it.
struct MergedRows {
  struct Key: Equatable {
    var customer: Int32
    var meter: Int32
    var dimensions: Int32
    var slot: Int64
  }

  struct Row {
    var key: Key
    var quantity: Quantity
    var greatestTime: Int64
    var events: Int64
  }

  private(set) var rows: [Row] = []
  /// Whether rows are looked up in `slots`. One cut's rows differ already, unless customers or features of it meet in one
  /// target or meter; rows are only looked up from the first such meeting, or the second cut, on.
  private(set) var isHashed = false
  /// Whether there were more rows than a claim can number.
  private(set) var isTooLong = false
  /// An open-addressing table over `rows`, a power of two of slots: the place of a key plus 1; 0 is free.
  private var slots: [UInt32] = []

  /// Looks rows up from here on.
  mutating func hash() {
    if isHashed { return }
    isHashed = true
    var count = 1 << 10
    while count < rows.count * 4 { count *= 2 }
    fillSlots(count)
  }

  /// Adds a cut's row to the one of that key. False where the sum does not fit in 128 bits.
  mutating func add(_ row: CutNumbers, to key: Key) -> Bool {
    guard isHashed else {
      append(row, key)
      return true
    }
    if rows.count * 2 >= slots.count { fillSlots(slots.count * 4) }
    var slot = Self.slot(of: key, mask: slots.count - 1)
    while slots[slot] != 0 {
      let place = Int(slots[slot]) - 1
      if rows[place].key == key {
        guard let sum = rows[place].quantity.adding(row.quantity) else { return false }
        rows[place].quantity = sum
        rows[place].greatestTime = max(rows[place].greatestTime, row.greatestTimeMilliseconds)
        rows[place].events &+= row.events
        return true
      }
      slot = (slot + 1) & (slots.count - 1)
    }
    append(row, key)
    slots[slot] = UInt32(rows.count)
    return true
  }

  private mutating func append(_ row: CutNumbers, _ key: Key) {
    guard rows.count < Int(UInt32.max) else {
      isTooLong = true
      return
    }
    rows.append(
      Row(key: key, quantity: row.quantity, greatestTime: row.greatestTimeMilliseconds, events: row.events))
  }

  /// The keys are our own small numbers and a time slot: nobody can choose them so that they meet.
  private static func slot(of key: Key, mask: Int) -> Int {
    var mixed = UInt64(UInt32(bitPattern: key.customer)) << 32 | UInt64(UInt32(bitPattern: key.meter))
    mixed ^= UInt64(bitPattern: key.slot) &* 0x9e37_79b9_7f4a_7c15
    mixed = (mixed ^ (mixed >> 32)) &* 0xd6e8_feb8_6659_fd93
    mixed ^= UInt64(UInt32(bitPattern: key.dimensions)) &* 0xa076_1d64_78bd_642f
    mixed = (mixed ^ (mixed >> 29)) &* 0xd6e8_feb8_6659_fd93
    return Int(truncatingIfNeeded: mixed >> 32) & mask
  }

  private mutating func fillSlots(_ count: Int) {
    slots = [UInt32](repeating: 0, count: count)
    for place in rows.indices {
      var slot = Self.slot(of: rows[place].key, mask: slots.count - 1)
      while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = UInt32(place + 1)
    }
  }
}
