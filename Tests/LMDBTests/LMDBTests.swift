import Foundation
import LMDB
import Testing

/// A path that is removed with the test.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("lmdb-\(UUID())").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

private func key(_ number: UInt32) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { [UInt8]($0) } }

@Suite struct LMDBTests {
  let folder: TemporaryFolder
  var file: String { folder.path + "/data.mdb" }

  init() throws { folder = try TemporaryFolder() }

  @Test func versionIsTheLinkedOne() {
    #expect(lmdbVersion.hasPrefix("0.9."))
  }

  @Test func whatIsCommittedIsThereAfterOpeningAgain() throws {
    do {
      let environment = try Environment(path: file)
      try environment.write { transaction in
        let database = try transaction.database("a", create: true)
        try transaction.put([1, 2, 3], for: key(7), in: database)
        try transaction.put([], for: key(8), in: database)
      }
    }
    let environment = try Environment(path: file, options: .init(isReadOnly: true))
    try environment.read { transaction in
      let database = try transaction.database("a")
      #expect(try transaction.get(key(7), in: database).map { [UInt8]($0) } == [1, 2, 3])
      #expect(try transaction.get(key(8), in: database)?.isEmpty == true)
      #expect(try transaction.get(key(9), in: database) == nil)
      #expect(try transaction.count(database) == 2)
    }
  }

  @Test func anErrorInTheBodyLeavesNothing() throws {
    struct Stop: Error {}
    let environment = try Environment(path: file)
    try environment.write { _ = try $0.database("a", create: true) }
    #expect(throws: Stop.self) {
      try environment.write { transaction in
        try transaction.put([1], for: key(1), in: try transaction.database("a"))
        throw Stop()
      }
    }
    #expect(try environment.read { try $0.count(try $0.database("a")) } == 0)
  }

  @Test func appendRefusesAKeyThatIsNotTheGreatest() throws {
    let environment = try Environment(path: file)
    #expect(throws: LMDBError(.keyExists, in: "mdb_put")) {
      try environment.write { transaction in
        let database = try transaction.database("a", create: true)
        try transaction.put([1], for: key(2), in: database, append: true)
        try transaction.put([1], for: key(1), in: database, append: true)
      }
    }
  }

  @Test func cursorWalksInKeyOrderBothWays() throws {
    let environment = try Environment(path: file)
    try environment.write { transaction in
      let database = try transaction.database("a", create: true)
      for number: UInt32 in [30, 10, 20] { try transaction.put([UInt8(number)], for: key(number), in: database) }
      try transaction.withCursor(database) { cursor in
        #expect(try cursor.first()?.value.first == 10)
        #expect(try cursor.next()?.value.first == 20)
        #expect(try cursor.next()?.value.first == 30)
        #expect(try cursor.next() == nil)
        #expect(try cursor.last()?.value.first == 30)
        #expect(try cursor.previous()?.value.first == 20)
        #expect(try cursor.seek(key(11))?.value.first == 20)
        #expect(try cursor.seek(key(31)) == nil)
        _ = try cursor.first()
        try cursor.remove()
        #expect(try cursor.first()?.value.first == 20)
      }
      #expect(try transaction.remove(key(20), from: database))
      #expect(try !transaction.remove(key(20), from: database))
      try transaction.removeAll(from: database)
      #expect(try transaction.count(database) == 0)
    }
  }

  @Test func aFullMapIsTypedAndResizingCuresIt() throws {
    let environment = try Environment(path: file, options: .init(mapSize: 1 << 16))
    let big = [UInt8](repeating: 7, count: 1 << 20)
    func put() throws {
      try environment.write { try $0.put(big, for: key(1), in: try $0.database("a", create: true)) }
    }
    #expect(throws: LMDBError(.mapFull, in: "mdb_put")) { try put() }
    try environment.resize(to: 4 << 20)
    try put()
    #expect(try environment.read { try $0.get(key(1), in: try $0.database("a"))?.count } == 1 << 20)
    #expect(environment.usedBytes > 1 << 20)
    #expect(environment.mapSize == 4 << 20)
  }

  @Test func aReadSeesTheStateOfItsBeginning() throws {
    let environment = try Environment(path: file)
    try environment.write { try $0.put([1], for: key(1), in: try $0.database("a", create: true)) }
    let before = try environment.beginRead()
    let database = try before.database("a")
    try environment.write { try $0.put([2], for: key(1), in: try $0.database("a")) }
    #expect(try before.get(key(1), in: database)?.first == 1)
    #expect(try environment.read { try $0.get(key(1), in: try $0.database("a"))?.first } == 2)
  }

  @Test func aFileOfSomethingElseIsCorruption() throws {
    try Data(repeating: 0x5a, count: 65_536).write(to: URL(fileURLWithPath: file))
    let error = #expect(throws: LMDBError.self) { try Environment(path: file) }
    #expect(error?.isCorruption == true)
  }

  @Test func codesHaveNamesAndMessages() {
    #expect(LMDBError.Code.mapFull.name == "MDB_MAP_FULL")
    #expect(LMDBError.Code(rawValue: 28) == .noSpace)
    #expect(LMDBError(.noSpace, in: "x").isDiskFull)
    #expect(LMDBError(.readOnlyFileSystem, in: "x").isReadOnly)
    #expect(LMDBError(.noSpace, in: "mdb_txn_commit").description == "mdb_txn_commit: ENOSPC: No space left on device")
    #expect(LMDBError.Code(rawValue: 9999).name == "9999")
  }

  @Test func buildingByHandSyncsAtTheEnd() throws {
    do {
      let environment = try Environment(path: file, options: .init(mapSize: 1 << 22, syncsByHand: true))
      for round: UInt32 in 0..<10 {
        try environment.write { transaction in
          let database = try transaction.database("a", create: true)
          let target = try transaction.reserve(65_520, for: key(round), in: database, append: true)
          target.initializeMemory(as: UInt8.self, repeating: UInt8(round))
        }
      }
      try environment.sync()
    }
    let environment = try Environment(path: file, options: .init(isReadOnly: true))
    try environment.read { transaction in
      let database = try transaction.database("a")
      for round: UInt32 in 0..<10 {
        let value = try #require(try transaction.get(key(round), in: database))
        #expect(value.count == 65_520 && value.allSatisfy { $0 == UInt8(round) })
      }
    }
  }
}
