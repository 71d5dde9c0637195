import Testing

// The parser lives in the executable's target. These tests are compiled where the package lets this target depend on it
// (Package.swift: the dependency "meterd" and the condition COMMAND_LINE_TESTS); elsewhere their absence is visible.
#if COMMAND_LINE_TESTS
@testable import meterd

@Suite struct CommandLineTests {
  private func command(_ line: String) throws -> ParsedCommand {
    guard case .command(let command) = try CommandLineParser.parse(line.split(separator: " ").map(String.init)) else {
      throw UsageError(message: "no command", command: nil)
    }
    return command
  }

  private func refusal(_ line: String) -> String? {
    do {
      _ = try CommandLineParser.parse(line.split(separator: " ").map(String.init))
      return nil
    } catch {
      return error.message
    }
  }

  @Test func everyCommandOfTheContractIsRead() throws {
    let run = try command("run --config m.yaml --dry-run --grace 1m30s")
    #expect(run.command == .run && run.text("--config") == "m.yaml" && run.flag("--dry-run"))
    #expect(run.duration("--grace") == .seconds(90))
    #expect(try command("run --config=m.yaml").duration("--grace") == .seconds(30))
    #expect(try command("check --offline --config m.yaml").flag("--offline"))
    let demo = try command("demo --events 1_000_000 --keep")
    #expect(demo.integer("--events") == 1_000_000 && demo.optionalInteger("--rate") == nil && demo.flag("--keep"))
    let load = try command(
      "load --bootstrap-servers b:1 --topic t --events 10 --rate 5 --duplicates 0.5% --customers 3 --features 2 --seed 9 --expect e.json"
    )
    #expect(load.fraction("--duplicates") == 0.005 && load.integer("--seed") == 9)
    #expect(load.optionalText("--expect") == "e.json")
    #expect(try command("load --bootstrap-servers b:1 --topic t").fraction("--duplicates") == 0.02)
    let fake = try command("fake stripe --listen 127.0.0.1:0 --faults 429:0.1,seed:7 --record r.jsonl")
    #expect(fake.argument(0) == "stripe" && fake.optionalText("--faults") == "429:0.1,seed:7")
    #expect(try command("ledger show --json --config m.yaml").command == .ledgerShow)
    let resolve = try command("ledger resolve 3 --reason digest_mismatch --why checked --config m.yaml --yes")
    #expect(resolve.integerArgument(0) == 3 && resolve.text("--reason") == "digest_mismatch" && resolve.flag("--yes"))
    #expect(try command("parked list --config m.yaml").flag("--json") == false)
    let retry = try command("parked retry 0/a/1 0/a/2 --why fixed --config m.yaml -- --odd")
    #expect(retry.argumentTexts == ["0/a/1", "0/a/2", "--odd"])
  }

  @Test func theTableIsWhole() {
    #expect(CommandTable.commands.map(\.command) == Command.allCases)
    #expect(ExitCode.allCases.map(\.rawValue) == [0, 64, 65, 69, 70, 75, 78])
  }

  @Test func refusals() {
    for (line, message) in [
      ("", "no command"), ("rnu", "unknown command \"rnu\"; did you mean run?"), ("xyzzy", "unknown command \"xyzzy\""),
      ("ledger", "ledger needs a word more: show, resolve"),
      (
        "ledger shwo",
        "unknown command \"ledger shwo\"; did you mean ledger show?; there is: ledger show, ledger resolve"
      ),
      ("trace", "the command \"trace\" is not in this version"),
      ("--verion", "unknown option \"--verion\"; did you mean --version?; the command comes first"),
      ("run --confg m.yaml", "run: unknown option \"--confg\"; did you mean --config?"),
      ("run", "run: --config FILE is missing: The configuration file."),
      ("run --config", "--config needs a value: --config FILE"),
      ("run --config --dry-run", "--config needs a value: --config FILE"),
      ("run --config a --config b", "--config is given twice"),
      ("run --config a --dry-run=yes", "--dry-run takes no value"),
      ("run --config a b", "run: \"b\" is one word too many"),
      ("run --config a --grace 30", "--grace: found \"30\"; allowed: a duration from 0s to 1h, such as 30s"),
      ("demo --events 0", "--events: found \"0\"; allowed: a whole number from 1 to 100000000"),
      (
        "load --bootstrap-servers b --topic t --duplicates 2",
        "--duplicates: found \"2\"; allowed: a share from 0% to below 100%, such as 2%"
      ),
      ("fake strip --listen a:1", "PROVIDER: found \"strip\"; allowed: stripe, webhook; did you mean stripe?"),
      ("fake --listen a:1", "fake: PROVIDER is missing: stripe or webhook."),
      ("fake stripe --listen a", "--listen: found \"a\"; allowed: host:port, such as 127.0.0.1:12111"),
      (
        "ledger resolve x --reason a --why b --config c",
        "PARTITION: found \"x\"; allowed: a whole number from 0 to 2147483647"
      ),
      ("parked retry --why a --config c", "parked retry: ROW is missing: Rows, as meterd parked list names them."),
    ] { #expect(refusal(line) == message, "\(line)") }
  }

  @Test func errorsSayWhereHelpIs() {
    #expect(
      UsageError(message: "run: x", command: "run").description == "meterd: run: x\nTry: meterd run --help")
    #expect(UsageError(message: "x", command: nil).description == "meterd: x\nTry: meterd --help")
  }

  @Test func helpIsEverywhereAndFits() throws {
    var lines = [["--help"], ["-h"], ["help"], ["ledger", "--help"], ["parked", "-h"], ["help", "ledger"]]
    for command in Command.allCases {
      let words = command.rawValue.split(separator: " ").map(String.init)
      lines += [words + ["--help"], words + ["--nonsense", "-h"], ["help"] + words]
    }
    for words in lines {
      guard case .help(let text) = try CommandLineParser.parse(words) else {
        Issue.record("no help for \(words)")
        continue
      }
      #expect(text.hasSuffix("\n") && !text.hasSuffix("\n\n"))
      for line in text.split(separator: "\n") { #expect(line.count <= 100, "\(line)") }
    }
    for specification in CommandTable.commands {
      let text = Help.command(specification)
      for option in specification.options { #expect(text.contains("  \(option.name)")) }
    }
    for command in Command.allCases { #expect(Help.overview().contains("  \(command.rawValue) ")) }
  }

  @Test func versions() throws {
    #expect(try CommandLineParser.parse(["--version"]) == .version)
    let lines = Version.text.split(separator: "\n")
    #expect(lines.count == 3)
    #expect(lines[0] == "meterd \(Version.meterd)")
    for (line, name) in zip(lines.dropFirst(), ["librdkafka", "LMDB"]) {
      #expect(line.hasPrefix(name + " ") && line.split(separator: ".").count == 3)
    }
  }
}
#endif
