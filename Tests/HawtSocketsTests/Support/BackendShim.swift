import HawtDispatch

extension Backend {
  static var epoll: Backend { fatalError() }
  static var libevent: Backend { fatalError() }
}
