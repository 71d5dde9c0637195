/// A credential. It never prints: every textual form of it is `••••`, so that it cannot reach a log, an error or a
/// page by accident; who needs the characters says so with ``reveal()``.
///
/// Equality compares the characters (not in constant time: it serves configuration, not authentication).
public struct Secret: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  private let characters: String

  /// What stands in a secret's place wherever it would be printed.
  public static let mask = "••••"

  /// Takes the characters of a credential.
  public init(_ characters: String) { self.characters = characters }

  /// The credential itself, for the one call that sends or signs with it.
  public func reveal() -> String { characters }

  /// Whether there is nothing to hide.
  public var isEmpty: Bool { characters.isEmpty }

  public var description: String { Secret.mask }
  public var debugDescription: String { Secret.mask }
  public var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
