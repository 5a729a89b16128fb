import Polling
import Testing

#if Epoll
  import PollingEpoll
#endif
#if Libevent
  import PollingLibevent
#endif

/// A backend under test. Every rule is checked on each of them.
struct Subject: Sendable, CustomTestStringConvertible {
  let name: String
  let backend: Backend
  private let meddled: Backend

  private init<B: PollingBackend & ~Copyable>(_ name: String, _ kind: B.Type) {
    self.name = name
    backend = Backend(kind)
    meddled = Backend(MeddledBackend<B>.self)
  }

  var testDescription: String { name }

  static let all: [Subject] = {
    var all = [Subject("poll(2) of a third party", ThirdPartyBackend.self)]
    #if Epoll
      all.append(Subject("epoll", EpollBackend.self))
    #endif
    #if Libevent
      all.append(Subject("libevent", LibeventBackend.self))
      all.append(Subject("libevent on poll", LibeventPollBackend.self))
    #endif
    return all
  }()

  /// Those that stand on epoll, where a closed descriptor's duplicate keeps its place in the kernel's set.
  static let onEpoll = all.filter { ["epoll", "libevent"].contains($0.name) }

  static func named(_ name: String) -> Subject {
    all.first { $0.name == name }!
  }

  func makePoller(eventsPerWait: Int = 256) throws -> Poller {
    try backend.makePoller(eventsPerWait: eventsPerWait)
  }

  /// A poller with somebody who meddles: see `Meddler`.
  func makeMeddledPoller() throws -> Poller {
    try meddled.makePoller(eventsPerWait: 256)
  }
}
