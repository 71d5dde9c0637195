import Daemon
import Operations
import Testing

/// What comes from the environment and from files: named where it is missing, and never shown.
@Suite struct ConfigurationSecretTests {
  @Test func environmentVariables() {
    #expect(
      problems(minimal("storage: { path: \"${HOME_OF_METERD}\" }")) == [
        "meterd.yaml:5: storage.path: the environment variable HOME_OF_METERD is not set; found: \"${HOME_OF_METERD}\""
      ])
    #expect(
      problems(minimal("storage: { path: \"${X\" }"))[0]
        == "meterd.yaml:5: storage.path: ${ without }; found: \"${X\"; allowed: ${NAME}; $${ for the characters themselves"
    )
    #expect(
      problems(minimal("storage: { path: \"${1X}\" }"))[0]
        == "meterd.yaml:5: storage.path: not the name of an environment variable; found: \"1X\"; allowed: letters, digits "
        + "and _, a letter or _ first")
    // What a variable holds is never shown: it may be a credential in the wrong place.
    let wrongPlace = problems(minimal("flush:\n  interval: ${KEY}"), environment: ["KEY": "sk_live_TOPSECRET"])
    #expect(wrongPlace.count == 1)
    #expect(wrongPlace[0].hasPrefix("meterd.yaml:6: flush.interval: wrong type; found: \"${KEY}\"; allowed:"))
  }

  @Test func credentials() {
    let stripe = "  - name: live\n    provider: stripe\n"
    #expect(
      problems(minimal(stripe + "    secret_key: ${KEY}"), environment: ["KEY": ""]) == [
        "meterd.yaml:7: sinks[1].secret_key: the credential is empty; allowed: a credential, best as ${NAME} or through the "
          + "key with _file at its end"
      ])
    #expect(
      problems(minimal(stripe + "    secret_key_file: /run/key")) == [
        "meterd.yaml:7: sinks[1].secret_key_file: the file cannot be read: No such file or directory; found: \"/run/key\""
      ])
    #expect(
      problems(minimal(stripe + "    secret_key: a\n    secret_key_file: /run/key"), files: ["/run/key": "b\n"]) == [
        "meterd.yaml:8: sinks[1].secret_key: given twice; found: secret_key and secret_key_file; allowed: one of them"
      ])
    // A broken reference in a credential's place shows the mask, not the text.
    #expect(
      problems(minimal(stripe + "    secret_key: TOPSECRET${")) == [
        "meterd.yaml:7: sinks[1].secret_key: ${ without }; found: ••••; allowed: ${NAME}; $${ for the characters themselves"
      ])
  }

  @Test func credentialsFromFilesLoseTheirLineFeed() throws {
    let text = minimal("  - { name: live, provider: stripe, secret_key_file: /run/key }")
    let sink = try parse(text, files: ["/run/key": "sk_test_abc\r\n"]).configuration.sinks[1]
    #expect(sink.secret?.reveal() == "sk_test_abc")
    let kafka = """
      kafka: { bootstrap_servers: b:1, topic: usage, properties: { sasl.password_file: /run/password } }
      sinks: [ { name: a, provider: log } ]
      """
    let properties = try parse(kafka, files: ["/run/password": "p w"]).configuration.kafka.properties
    #expect(properties.map(\.name) == ["sasl.password"])
    #expect(properties.map { $0.reveal() } == ["p w"])
  }

  @Test func aCredentialIsOneLineUnlessItIsAKeyFile() throws {
    let text = minimal("  - { name: live, provider: stripe, secret_key_file: /run/key }")
    #expect(
      problems(text, files: ["/run/key": "sk_test_abc\n\n"]) == [
        "meterd.yaml:5: sinks[1].secret_key_file: the credential holds a line break; a file may end with one; allowed: "
          + "a credential, best as ${NAME} or through the key with _file at its end"
      ])
    let kafka = """
      kafka: { bootstrap_servers: b:1, topic: usage, properties: { ssl.key.pem_file: /run/pem } }
      sinks: [ { name: a, provider: log } ]
      """
    let properties = try parse(kafka, files: ["/run/pem": "-----BEGIN\nabc\n-----END\n"]).configuration.kafka.properties
    #expect(properties.map { $0.reveal() } == ["-----BEGIN\nabc\n-----END"])
  }
}
