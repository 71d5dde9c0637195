private import Glibc

/// Zeroed memory for the big tables, on huge pages where it is large: with them the dedup table costs 13 ns instead of
/// 29 (limits.md).
package enum HotMemory {
  private static let hugePage = 2 << 20

  /// So many zeroed bytes, aligned to a cache line at least. Ends the process where there is no memory, as every other
  /// allocation in Swift does.
  package static func allocate(_ bytes: Int) -> UnsafeMutableRawPointer {
    if bytes < hugePage {
      let pointer = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
      memset(pointer, 0, bytes)
      return pointer
    }
    let length = mapped(bytes)
    guard
      let region = mmap(nil, length + hugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      region != MAP_FAILED
    else { preconditionFailure("no memory for a table of \(bytes) bytes") }
    // A huge page must begin at a multiple of its size: what lies before and behind goes back.
    let address = UInt(bitPattern: region)
    let before = Int((UInt(hugePage) - address % UInt(hugePage)) % UInt(hugePage))
    if before > 0 { munmap(region, before) }
    let start = region + before
    if hugePage - before > 0 { munmap(start + length, hugePage - before) }
    madvise(start, length, MADV_HUGEPAGE)  // advice: where the kernel has none, the table is only slower
    return start
  }

  /// Gives back what ``allocate(_:)`` gave for the same count.
  package static func free(_ pointer: UnsafeMutableRawPointer, _ bytes: Int) {
    if bytes < hugePage {
      pointer.deallocate()
    } else {
      munmap(pointer, mapped(bytes))
    }
  }

  private static func mapped(_ bytes: Int) -> Int { (bytes + hugePage - 1) / hugePage * hugePage }
}

/// Zeroed memory that grows where it lies, on huge pages where it is large: address space for the greatest size is
/// reserved at once (it costs nothing), and becomes memory as it is asked for. So a table grows without a second one
/// beside it, and each page is cleared by the kernel once: first use of a page costs some 200 ns for each 4 KiB, and
/// fifty times that on a virtual machine whose host has not given it memory yet.
package struct HotRegion: ~Copyable {
  private static let hugePage = 2 << 20
  /// A multiple of every processor's page.
  private static let granule = 64 << 10
  /// No region reserves more: 47 bits of addresses are for all partitions and buckets.
  private static let greatestReservation = 64 << 30

  /// Where it begins, at a multiple of a huge page.
  package let start: UnsafeMutableRawPointer
  private var usable: Int
  private var reserved: Int

  /// So many zeroed bytes, and addresses for `most`, as far as there are such. Ends the process where there is no memory,
  /// as every other allocation in Swift does.
  package init(bytes: Int, reserving most: Int) {
    let needed = Self.rounded(bytes, to: Self.hugePage)
    let wanted = max(needed, Self.rounded(min(most, Self.greatestReservation), to: Self.hugePage))
    guard let (start, length) = Self.reserve(wanted) ?? Self.reserve(needed) else {
      preconditionFailure("no address space for a table of \(bytes) bytes")
    }
    self.start = start
    reserved = length
    usable = 0
    madvise(start, length, MADV_HUGEPAGE)  // advice: where the kernel has none, the table is only slower
    precondition(grow(to: bytes))
  }

  deinit { munmap(start, reserved) }

  /// Makes so many bytes usable; what is new is zero. False where the addresses do not reach: nothing has changed then.
  package mutating func grow(to bytes: Int) -> Bool {
    let wanted = Self.rounded(bytes, to: Self.granule)
    if wanted > reserved { return false }
    if wanted > usable {
      guard mprotect(start + usable, wanted - usable, PROT_READ | PROT_WRITE) == 0 else {
        preconditionFailure("no memory for a table of \(bytes) bytes")
      }
      usable = wanted
    }
    return true
  }

  /// Has usable memory given by the kernel now, in one call, rather than page by page when it is first used.
  package func populate(_ range: Range<Int>) {
    let from = range.lowerBound / Self.granule * Self.granule
    let to = min(usable, Self.rounded(range.upperBound, to: Self.granule))
    // Advice: an older kernel (before 5.14) has no such call, and the pages come as they are used.
    if from < to { madvise(start + from, to - from, MADV_POPULATE_WRITE) }
  }

  /// Makes every usable byte zero.
  package func clear() { memset(start, 0, usable) }

  /// Whether ``grow(to:)`` can give so many bytes.
  package func reaches(_ bytes: Int) -> Bool { Self.rounded(bytes, to: Self.granule) <= reserved }

  /// Gives back the addresses that it will not grow into.
  package mutating func trim() {
    let kept = Self.rounded(usable, to: Self.hugePage)
    if kept < reserved { munmap(start + kept, reserved - kept) }
    reserved = kept
  }

  private static func rounded(_ bytes: Int, to unit: Int) -> Int { (bytes + unit - 1) / unit * unit }

  /// Addresses without memory, from a multiple of a huge page on.
  private static func reserve(_ length: Int) -> (UnsafeMutableRawPointer, Int)? {
    guard
      let region = mmap(
        nil, length + hugePage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
      region != MAP_FAILED
    else { return nil }
    let before = Int((UInt(hugePage) - UInt(bitPattern: region) % UInt(hugePage)) % UInt(hugePage))
    if before > 0 { munmap(region, before) }
    if hugePage - before > 0 { munmap(region + before + length, hugePage - before) }
    return (region + before, length)
  }
}
