import Foundation
import Testing

/// DESIGN.md, section 4: arrows run down only. Package.swift cannot hold this alone, since a target may import what one
/// of its dependencies depends on.
struct ImportTests {
  /// What the files of a room may import of ours and of Debian's libraries.
  static let allowed: [String: Set<String>] = [
    "Kafka": ["CRdkafka"],
    "LMDB": ["CLMDB"],
    "HTTP": ["CCurl", "CMicroHTTPD", "CCrypto"],
    "Metering": ["CHotPath"],
    "Storage": ["Metering", "LMDB"],
    "Billing": ["Metering", "HTTP"],
    "Daemon": ["Metering", "Storage", "Billing", "Kafka"],
    "Operations": ["Metering", "Storage", "Billing", "Daemon", "Kafka", "HTTP", "CYAML"],
    "ProviderFakes": ["HTTP"],
    "meterd": ["Metering", "Storage", "Billing", "Daemon", "Operations", "ProviderFakes", "Kafka", "LMDB", "HTTP"],
  ]
  /// The pure core knows neither clock, nor file, nor thread.
  static let system: Set<String> = [
    "Foundation", "FoundationEssentials", "Dispatch", "Glibc", "Synchronization", "Swift", "CDispatch",
  ]

  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  static func imports(of room: String) throws -> [(file: String, module: String)] {
    let folder = root.appending(path: "Sources/\(room)")
    let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
    var found: [(String, String)] = []
    for case let file as URL in files where file.pathExtension == "swift" {
      for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
        let words = line.split(separator: " ")
        guard let index = words.firstIndex(of: "import"), index <= 2, !line.hasPrefix("//"), !line.hasPrefix(" ")
        else { continue }
        guard let last = words.last else { continue }
        found.append((file.lastPathComponent, String(last.split(separator: ".")[0])))
      }
    }
    return found
  }

  @Test("every import runs down", arguments: allowed.keys.sorted())
  func importsRunDown(room: String) throws {
    let may = try #require(Self.allowed[room]).union(room == "Metering" ? [] : Self.system)
    for (file, module) in try Self.imports(of: room) {
      // Huge pages (mmap) and comparisons (memcmp): memory, not I/O.
      if room == "Metering", ["HotMemory.swift", "CanonicalOrder.swift"].contains(file), module == "Glibc" { continue }
      #expect(may.contains(module), "\(room)/\(file) imports \(module)")
    }
  }

  @Test("every room of Sources is judged")
  func everyRoomIsKnown() throws {
    let rooms = try FileManager.default.contentsOfDirectory(atPath: Self.root.appending(path: "Sources").path)
    for room in rooms where !room.hasPrefix("C") { #expect(Self.allowed[room] != nil, "Sources/\(room)") }
  }
}
