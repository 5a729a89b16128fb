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

  var testDescription: String { name }

  static let all: [Subject] = {
    var all = [Subject(name: "poll(2) of a third party", backend: Backend(ThirdPartyBackend.self))]
    #if Epoll
      all.append(Subject(name: "epoll", backend: Backend(EpollBackend.self)))
    #endif
    #if Libevent
      all.append(Subject(name: "libevent", backend: Backend(LibeventBackend.self)))
      all.append(Subject(name: "libevent on poll", backend: Backend(LibeventPollBackend.self)))
    #endif
    return all
  }()

  /// The same, with somebody who meddles: see `Meddler`.
  static let meddled: [Subject] = {
    var all = [Subject(name: "poll(2) of a third party", backend: Backend(MeddledBackend<ThirdPartyBackend>.self))]
    #if Epoll
      all.append(Subject(name: "epoll", backend: Backend(MeddledBackend<EpollBackend>.self)))
    #endif
    #if Libevent
      all.append(Subject(name: "libevent", backend: Backend(MeddledBackend<LibeventBackend>.self)))
      all.append(Subject(name: "libevent on poll", backend: Backend(MeddledBackend<LibeventPollBackend>.self)))
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
}
