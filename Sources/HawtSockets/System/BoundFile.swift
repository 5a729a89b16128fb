import Glibc

/// The file that a Unix socket's address has made, and that its close is to remove: that file, and no other that has
/// taken its path since; in this process, and in no child that was forked from it.
struct BoundFile: Sendable {
  /// What tells a file from another at the same path, as long as the socket keeps the first from being forgotten.
  private struct Identity: Equatable {
    let device: dev_t
    let node: ino_t

    /// nil if there is no such file.
    init?(of path: String) {
      var found = stat()
      guard lstat(path, &found) == 0 else { return nil }
      (device, node) = (found.st_dev, found.st_ino)
    }
  }

  private let path: String
  private let identity: Identity?
  private let maker = getpid()

  /// - Parameter path: where a socket was bound just now. A simulated system makes no file: it is told to remove it unless
  ///   there is one by then.
  init(at path: String) {
    self.path = path
    identity = Identity(of: path)
  }

  /// Removes it. Before its socket is closed: the kernel may give its number to another file afterwards.
  func remove(through system: any SocketSystem) {
    guard getpid() == maker, Identity(of: path) == identity else { return }
    system.removeFile(path)
  }
}
