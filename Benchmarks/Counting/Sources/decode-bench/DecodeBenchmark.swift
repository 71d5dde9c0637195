import GeneratedText
import Metering

/// Prints what decoding costs, shape by shape.
@main enum DecodeBenchmark {
  static func main() {
    let count = CommandLine.arguments.count < 3 ? 100_000 : Int(CommandLine.arguments[2]) ?? 1
    let runs = CommandLine.arguments.count < 2 ? 25 : 200
    var random = Random(state: 1)
    var dimensionRules = CountingRules()
    dimensionRules.features = ["tokens": FeatureRule(dimensions: ["model", "region"])]

    func typical(_ index: Int, amount: String, name: String = "cus_") -> String {
      let head =
        "{\"idempotencyKey\":\"\(uuid(&random))\",\"customerId\":\"\(name)\(padded(random.next() % 10_000, 6))\","
      let tail = "\"featureId\":\"api_calls\",\"amount\":\(amount),\"timestamp\":\"\(instant(&random))\""
      let extra = 193 - (head + tail).utf8.count - 13
      return head + tail + ",\"trace\":\"" + String(repeating: "x", count: max(0, extra + 1)) + "\"}"
    }

    let shapes: [(String, CountingRules, (Int) -> String)] = [
      ("typical", CountingRules(), { typical($0, amount: String(1 + random.next() % 99)) }),
      ("typical, amounts with a fraction", CountingRules(), { typical($0, amount: "\(random.next() % 1000).25") }),
      (
        "two dimensions used", dimensionRules,
        { index in
          typical(index, amount: "12").replacing("api_calls", with: "tokens")
            .replacing("\"trace\":", with: "\"dimensions\":{\"model\":\"gpt-6\",\"region\":\"eu\"},\"t\":")
        }
      ),
      ("customer beyond ASCII (general path)", CountingRules(), { typical($0, amount: "12", name: "kund\u{eb}_") }),
      (
        "CloudEvents, structured (general path)", CountingRules(),
        { _ in
          "{\"id\":\"\(uuid(&random))\",\"source\":\"/app\",\"type\":\"api_calls\",\"subject\":\"cus_1\","
            + "\"time\":\"\(instant(&random))\",\"specversion\":\"1.0\",\"data\":{\"amount\":12,\"region\":\"eu\"}}"
        }
      ),
      ("bad: malformed", CountingRules(), { String(typical($0, amount: "12").dropLast(2)) }),
    ]
    print("decode, ns per event, \(count) events a run, \(runs) runs")
    for (name, rules, make) in shapes where CommandLine.arguments.count < 2 || name == CommandLine.arguments[1] {
      let corpus = Corpus(count: count, make)
      let result = measure(corpus, rules, runs: runs)
      let label = (name + String(repeating: " ", count: 42)).prefix(42)
      print(
        "\(label) \(corpus.averageBytes) bytes: best \(Int(result.best + 0.5)), median \(Int(result.median + 0.5))"
          + (result.bad > 0 ? ", quarantined \(result.bad)" : ""))
    }
  }
}
