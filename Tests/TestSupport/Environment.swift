internal import Foundation

/// The environment variable, where it is set to anything.
package func environment(_ name: String) -> String? {
  ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
}
