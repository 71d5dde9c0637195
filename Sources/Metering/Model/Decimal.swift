extension Quantity: CustomStringConvertible {
  /// The exact value in the fewest characters: `-12.5`, `0`, `1000`; never an exponent, never a trailing zero.
  public var description: String {
    var magnitude = units.magnitude
    var fraction = Int(magnitude % Quantity.scale.magnitude)
    magnitude /= Quantity.scale.magnitude
    var text = units < 0 ? "-" : ""
    text += String(magnitude)
    guard fraction != 0 else { return text }
    var places = 9
    while fraction % 10 == 0 {
      fraction /= 10
      places -= 1
    }
    let digits = String(fraction)
    text += "."
    text += String(repeating: "0", count: places - digits.utf8.count)
    return text + digits
  }
}

extension Quantity {
  /// A quantity from its text: one JSON number (`-12.5`, `1e3`, `1.0000000000`), nothing around it.
  ///
  /// `nil` where the text is no JSON number, is not an exact multiple of 10⁻⁹, or does not fit in 128 bits of such
  /// units (a sum may exceed what one event may state: ``eventLimit`` is not applied here).
  public init?(parsing text: String) {
    var text = text
    let parsed: Quantity? = text.withUTF8 { utf8 in
      let bytes = ByteSlice(utf8)
      guard bytes.count > 0, NumberText.length(in: bytes, from: 0) == bytes.count else { return nil }
      return NumberText(bytes).exactQuantity
    }
    guard let parsed else { return nil }
    self = parsed
  }
}
