internal import Glibc

/// A refusal by the operating system, or by the poller before it was asked.
public struct BackendError: Error, Sendable, Hashable {
  /// What was being done.
  public enum Operation: String, Sendable, Hashable, CaseIterable {
    /// Making a backend or one of the poller's own descriptors.
    case create
    /// Registering a descriptor.
    case add
    /// Changing the interest of a registered descriptor.
    case change
    /// Waiting for readiness.
    case wait
  }

  /// What was being done.
  public let operation: Operation

  /// The descriptor that it was done to, if any.
  public let descriptor: CInt?

  /// The `errno` value.
  public let code: CInt

  /// Describes a refusal.
  public init(_ operation: Operation, descriptor: CInt? = nil, code: CInt) {
    self.operation = operation
    self.descriptor = descriptor
    self.code = code
  }
}

extension BackendError: CustomStringConvertible {
  /// What was asked, what happened, and what to do about it.
  public var description: String {
    "\(request) failed: \(symbol) (\(String(cString: strerror(code)))). \(advice)"
  }

  private var request: String {
    let subject = descriptor.map { "descriptor \($0)" } ?? "a descriptor"
    return switch operation {
    case .create: "creating a poller"
    case .add: "registering \(subject)"
    case .change: "changing the interest in \(subject)"
    case .wait: "waiting for readiness"
    }
  }

  private var symbol: String {
    switch code {
    case EPERM: "EPERM"
    case EBADF: "EBADF"
    case EEXIST: "EEXIST"
    case ENOENT: "ENOENT"
    case EMFILE: "EMFILE"
    case ENFILE: "ENFILE"
    case ENOSPC: "ENOSPC"
    case ENOMEM: "ENOMEM"
    case EINVAL: "EINVAL"
    case ELOOP: "ELOOP"
    case ENOTSUP: "ENOTSUP"
    case ENOSYS: "ENOSYS"
    default: "errno \(code)"
    }
  }

  private var advice: String {
    switch code {
    case EPERM:
      "It cannot be polled: it is a regular file, a directory, or a device that is always ready. Read or write it directly."
    case EBADF:
      "It is not open. Close a descriptor only after the last registration on it has been cancelled."
    case ENOENT:
      "It was closed and its number used again while it was registered. Close a descriptor only after the last registration on it has been cancelled."
    case EEXIST:
      "It is registered with this poller already. Register a descriptor once and share the registration."
    case EMFILE:
      "This process has as many open descriptors as it may. Close some, or raise RLIMIT_NOFILE."
    case ENFILE:
      "The system has as many open files as it may. Close some, or raise fs.file-max."
    case ENOSPC:
      "This user watches as many descriptors as the system allows. Watch fewer, or raise fs.epoll.max_user_watches."
    case ENOMEM:
      "The kernel has no memory for it. Free some and try again."
    case ELOOP, EINVAL:
      "The kernel does not accept this descriptor in this place: an epoll descriptor may not watch itself, nor nest too deep."
    case ENOTSUP:
      "The backend does not offer the system call that it must be built on here. Choose another backend."
    default:
      "The operating system's manual of the call says when this happens."
    }
  }
}
