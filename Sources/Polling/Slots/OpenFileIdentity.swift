internal import CLinux
internal import Glibc

/// Tells as well as it can be told whether a descriptor still stands for the file that was registered under its number
/// (rule `S8`).
///
/// The system offers no name for an open file. Each socket has an inode of its own, and so has each anonymous pipe, whose
/// two ends differ in their access mode: for these, equal means the same. Everything else, such as an eventfd, shares an
/// inode with its like: there only *different* is certain, and a `Witness` has to tell the rest.
struct OpenFileIdentity {
  // A poller keeps one for each of its registrations, so they are small.

  private let device: UInt64
  private let inode: UInt64
  /// Of the mode, the kind alone, beside which there is room for how it was opened.
  private let kindAndAccess: UInt16

  /// Whether equal identities prove that it is the same file.
  let isProof: Bool

  /// The identity of what is behind a descriptor now, or nil if it is not open. One system call for a socket.
  init?(of descriptor: CInt) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return nil }
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
    let kind = status.st_mode & S_IFMT
    if kind == S_IFSOCK {
      kindAndAccess = Self.pack(kind, O_RDWR)
      isProof = true
    } else {
      kindAndAccess = Self.pack(kind, fcntl(descriptor, F_GETFL) & O_ACCMODE)
      isProof = kind == S_IFIFO && Self.isAnonymousPipe(descriptor)
    }
  }

  private static func pack(_ kind: mode_t, _ access: CInt) -> UInt16 { UInt16(kind) | UInt16(access) }

  /// A FIFO with a name can be opened twice in the same mode; two files, one inode.
  private static func isAnonymousPipe(_ descriptor: CInt) -> Bool {
    var system = statfs()
    return fstatfs(descriptor, &system) == 0 && Int(system.f_type) == hawt_pipefs_magic
  }

  /// Whether the two can be the same file.
  func couldBe(_ other: OpenFileIdentity) -> Bool {
    inode == other.inode && device == other.device && kindAndAccess == other.kindAndAccess
  }
}
