/// A credential that no log, error or page can show: it has no description of its value.
public struct Secret: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  private let value: String

  public init(_ value: String) { self.value = value }

  public var description: String { "(secret)" }
  public var debugDescription: String { "(secret)" }
  public var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
  public var isEmpty: Bool { value.isEmpty }

  /// The credential itself, for the header or the signature that needs it.
  package func reveal() -> String { value }
}
