import Operations

struct Missing: Error, CustomStringConvertible { let description = "No such file or directory" }

/// Reads `text` as `meterd.yaml`, with an environment and files of the test's own.
func parse(
  _ text: String, environment: [String: String] = [:], files: [String: String] = [:], sinks: Bool = true
) throws -> ConfigurationFile {
  try ConfigurationFile.parse(
    Array(text.utf8), file: "meterd.yaml", requirements: .init(sinks: sinks),
    sources: ConfigurationSources(
      environment: { environment[$0] },
      readFile: { name in
        guard let text = files[name] else { throw Missing() }
        return Array(text.utf8)
      }))
}

/// The problems of `text`, one line each; empty where it is good.
func problems(
  _ text: String, environment: [String: String] = [:], files: [String: String] = [:], sinks: Bool = true
) -> [String] {
  do {
    _ = try parse(text, environment: environment, files: files, sinks: sinks)
    return []
  } catch let errors as ConfigurationErrors {
    return errors.problems.map(\.description)
  } catch {
    return ["not a configuration error: \(error)"]
  }
}

/// The least that a run needs, in four lines, and what a test adds.
func minimal(_ more: String = "") -> String {
  """
  kafka: { bootstrap_servers: "127.0.0.1:9092", topic: usage }
  sinks:
    - name: preview
      provider: log
  \(more)
  """
}
