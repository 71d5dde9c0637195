import Metering
import Testing

@Suite struct LineWriterTests {
  func line(room: Int = 64, _ write: (inout LineWriter) -> Void) -> String {
    withUnsafeTemporaryAllocation(byteCount: room, alignment: 1) { room in
      var line = LineWriter(room: room)
      write(&line)
      return String(decoding: line.bytes, as: UTF8.self)
    }
  }

  @Test(arguments: [0, 7, 9, 10, 99, 100, -1, -10, 65_536, 1_234_567_890_123, Int64.max, Int64.min])
  func numbersAreTheirOwnDecimals(number: Int64) {
    #expect(line { $0.add(number) } == String(number))
  }

  @Test func theLongestNumberFillsItsRoom() {
    #expect(line(room: LineWriter.mostDigits) { $0.add(Int64.min) } == String(Int64.min))
  }

  @Test func partsFollowEachOther() {
    #expect(
      line {
        $0.add("byte ")
        $0.add(12)
        $0.add(UnsafeRawBufferPointer(start: nil, count: 0))
        $0.add("!")
      } == "byte 12!")
    #expect(line { _ in } == "")
  }

  @Test func aDetailMayBeAnyText() {
    let detail = QuarantineDetail("amount is -3")
    #expect(detail.description == "amount is -3")
    detail.withUTF8 { #expect($0.count == 12) }
    QuarantineDetail("").withUTF8 { #expect($0.isEmpty) }
  }
}
