// Placeholder for the first commit of signatures: the polling layer replaces it.
public struct Interest: OptionSet, Sendable, Hashable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public static let read = Interest(rawValue: 1)
  public static let write = Interest(rawValue: 2)
}
public struct BackendError: Error, Sendable, Hashable {
  public let errno: CInt
}
public struct BackendIdentity: Sendable, Hashable { public let name: String }
public struct Backend: Sendable { public let identity: BackendIdentity }
