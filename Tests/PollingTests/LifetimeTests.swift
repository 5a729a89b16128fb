import CLinux
import Glibc
import Polling
import Testing

/// S9 and errors of creation: descriptors are close-on-exec, given back, and a child leaves its parent alone.
@Suite struct LifetimeTests {
  @Test("At the limit of descriptors creation fails and leaves none open", arguments: Subject.all)
  func limit(_ subject: Subject) async {
    await #expect(processExitsWith: .success) { [name = subject.name as String] in
      let backend = Subject.named(name).backend
      try backend.makePoller().close()
      let before = OpenDescriptors.count
      var refusals = 0
      for _ in 0..<20 {
        for room in 0..<16 {
          do {
            try OpenDescriptors.limited(toMore: room) { try backend.makePoller().close() }
          } catch {
            demand(error as? BackendError == BackendError(.create, code: EMFILE), "\(error)")
            refusals += 1
          }
        }
      }
      demand(refusals >= 20 && refusals < 320, "\(refusals) refusals")
      demand(OpenDescriptors.count <= before + OpenDescriptors.noise, "refusals leave descriptors")
    }
  }

  @Test("S9 every descriptor is close-on-exec", arguments: Subject.all)
  func closeOnExec(_ subject: Subject) async {
    await #expect(processExitsWith: .success) { [name = subject.name as String] in
      let backend = Subject.named(name).backend
      let before = OpenDescriptors.surviving.count
      let pollers = try (0..<10).map { _ in try backend.makePoller() }
      demand(OpenDescriptors.surviving.count <= before + OpenDescriptors.noise, "some survive exec")
      let open = OpenDescriptors.count
      for item in pollers { item.close() }
      for item in pollers { item.close() }
      demand(OpenDescriptors.count <= open - 40 + OpenDescriptors.noise, "some were not closed")
    }
  }

  @Test(
    "S9 a child that gives its poller up leaves the parent's registrations alone",
    arguments: Subject.all)
  func fork(_ subject: Subject) async {
    await #expect(processExitsWith: .success) { [name = subject.name as String] in
      let poller = try Subject.named(name).backend.makePoller()
      let pair = Pair.socket()
      _ = try poller.register(pair.near, interest: .read, context: 1)
      let child = forkProcess()
      if child == 0 {
        poller.abandonAfterFork()
        poller.close()
        _exit(0)
      }
      var status: CInt = -1
      demand(waitpid(child, &status, 0) == child && status == 0)
      pair.feed()
      let reports = try poller.harvest(.untilReady)
      demand(reports == [1: .read])
      poller.wake()
      try poller.wait(.untilReady)
      demand(poller.wasWoken)
    }
  }

  @Test("Pollers come and go without a trace", arguments: Subject.all)
  func churn(_ subject: Subject) async {
    await #expect(processExitsWith: .success) { [name = subject.name as String] in
      let backend = Subject.named(name).backend
      let before = OpenDescriptors.count
      for _ in 0..<1_000 {
        let poller = try backend.makePoller()
        poller.wake()
        try poller.wait(.untilReady)
      }
      demand(OpenDescriptors.count <= before + OpenDescriptors.noise, "descriptors are left")
    }
  }
}

@_silgen_name("fork") private func forkProcess() -> pid_t
