import Daemon
import Operations
import Testing

@Suite struct EffectiveConfigurationTests {
  @Test(arguments: [minimal(), wholeExample])
  func whatIsPrintedReadsBackToTheSame(_ text: String) throws {
    // With the mask itself for every credential, the masked print equals the original in them too.
    let environment = ["STRIPE_SECRET_KEY": Secret.mask, "WEBHOOK_SECRET": Secret.mask]
    let file = try parse(text, environment: environment)
    let again = try parse(file.effectiveText)
    #expect(again.configuration == file.configuration)
    #expect(again.effectiveText == file.effectiveText)
  }

  @Test func awkwardTextsSurvive() throws {
    let file = try parse(
      minimal(
        #"""
        storage: { path: "/a b/\"q\"\\: #$${X}\t'é" }
        features: { "a: b": { dimensions: ["null", "true", "-", "1", "x,y", "ü}"] } }
        """#))
    #expect(file.configuration.storage.path == "/a b/\"q\"\\: #${X}\t'é")
    #expect(file.configuration.features[0].dimensions == ["null", "true", "-", "1", "x,y", "ü}"])
    #expect(try parse(file.effectiveText).configuration == file.configuration)
  }

  @Test func credentialsAreMaskedEverywhere() throws {
    let secrets = ["STRIPE_SECRET_KEY": "sk_live_TOPSECRET", "WEBHOOK_SECRET": "whsec_TOPSECRET"]
    let file = try parse(wholeExample, environment: secrets)
    let printed = [
      file.effectiveText, "\(file.configuration)", String(reflecting: file.configuration), dumped(file.configuration),
      "\(file)",
    ]
    for text in printed { #expect(!text.contains("TOPSECRET")) }
    #expect(file.effectiveText.contains("secret_key: \"••••\""))
    #expect(file.effectiveText.contains("sasl.password: \"••••\""))
  }

  private func dumped(_ value: Any) -> String {
    var text = ""
    dump(value, to: &text)
    return text
  }
}
