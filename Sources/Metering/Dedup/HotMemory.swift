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
