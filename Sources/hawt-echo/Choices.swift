import ArgumentParser
import HawtDispatch

/// A backend by the name that the command line uses.
enum BackendChoice: String, CaseIterable, ExpressibleByArgument {
  case epoll, libevent

  /// What the dispatcher takes; nil if this build left it out.
  var backend: Backend? {
    switch self {
    case .epoll:
      #if Epoll
        return .epoll
      #else
        return nil
      #endif
    case .libevent:
      #if Libevent
        return .libevent
      #else
        return nil
      #endif
    }
  }

  static var builtIn: [BackendChoice] { allCases.filter { $0.backend != nil } }

  /// How to have it, for who misses it.
  var howToHaveIt: String {
    switch self {
    case .epoll: "build without BACKEND, or with `make BACKEND=epoll …`"
    case .libevent: "install libevent-dev and build without BACKEND, or with `make BACKEND=libevent …`"
    }
  }
}

/// Who runs a connection's handlers.
enum Style: String, CaseIterable, ExpressibleByArgument {
  /// Each connection's queue is pinned to one worker, round robin: no hop between event and handler.
  case reactor
  /// Each connection's queue may run on any worker.
  case proactor
}
