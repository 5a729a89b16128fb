import Glibc
import Polling
import Testing

/// B3 and the eager half of B4: what is refused is refused at once.
@Suite struct RegistrationTests {
  @Test("B3 a second registration is refused before the backend is asked", arguments: Subject.all)
  func second(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let pair = Pair.socket()
    let slot = try poller.register(pair.near, interest: .read, context: 1)
    #expect(throws: BackendError(.add, descriptor: pair.near, code: EEXIST)) {
      try poller.register(pair.near, interest: .write, context: 2)
    }
    #expect(poller.slot(for: pair.near) == slot)
    #expect(poller.context(of: slot) == 1)
    #expect(poller.registrationCount == 1)
    pair.feed()
    #expect(try poller.harvest() == [1: .read])
  }

  @Test(
    "B4 what cannot be polled is refused synchronously", arguments: Subject.all,
    [Interest.read, .write, []])
  func unpollable(_ subject: Subject, _ interest: Interest) throws {
    let poller = try subject.makePoller()
    let file = fileno(tmpfile())
    #expect(throws: BackendError(.add, descriptor: file, code: EPERM)) {
      try poller.register(file, interest: interest, context: 1)
    }
    close(file)
    let directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    #expect(throws: BackendError(.add, descriptor: directory, code: EPERM)) {
      try poller.register(directory, interest: interest, context: 1)
    }
    close(directory)
    #expect(poller.registrationCount == 0)
    #expect(try poller.harvest().isEmpty)
  }

  @Test("B4 a number that is not open is refused synchronously", arguments: Subject.all)
  func notOpen(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    for descriptor in [-1, CInt.min, CInt.max, Numbers.reserve()] {
      #expect(throws: BackendError(.add, descriptor: descriptor, code: EBADF)) {
        try poller.register(descriptor, interest: .read, context: 1)
      }
      #expect(poller.slot(for: descriptor) == nil)
    }
  }

  @Test(
    "B4 removing is eager: the descriptor can be registered again at once", arguments: Subject.all)
  func again(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let pair = Pair.socket()
    for round in 0..<20 {
      let slot = try poller.register(pair.near, interest: .write, context: UInt(round))
      #expect(try poller.harvest() == [UInt(round): .write])
      poller.unregister(slot)
      #expect(poller.slot(for: pair.near) == nil)
      #expect(try poller.harvest().isEmpty)
    }
    #expect(poller.registrationCount == 0)
    #expect(poller.armedDirectionCount == 0)
    #expect(poller.rebuildCount == 0)
  }

  @Test("B3 many registrations keep their words through growth and holes", arguments: Subject.all)
  func many(_ subject: Subject) throws {
    let poller = try subject.makePoller(eventsPerWait: 1_024)
    let descriptors = (0..<500).map { _ in Numbers.move(eventfd(1)) }
    var slots = try descriptors.enumerated().map {
      try poller.register($1, interest: .read, context: UInt($0))
    }
    #expect(try poller.harvestAll().count == 500)
    for position in stride(from: 0, to: 500, by: 2) { poller.unregister(slots[position]) }
    #expect(
      Set(try poller.harvestAll().keys) == Set((0..<500).filter { $0 % 2 == 1 }.map(UInt.init)))
    for position in stride(from: 0, to: 500, by: 2) {
      slots[position] = try poller.register(
        descriptors[position], interest: .read, context: UInt(1_000 + position))
    }
    #expect(try poller.harvestAll().count == 500)
    #expect(Set(slots).count == 500)
    #expect(poller.registrationCount == 500)
    for (slot, descriptor) in zip(slots, descriptors) {
      #expect(poller.slot(for: descriptor) == slot)
    }
    for item in descriptors { close(item) }
  }

  @Test("A registration's word can be replaced", arguments: Subject.all)
  func context(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let pair = Pair.pipe()
    pair.feed()
    let slot = try poller.register(pair.near, interest: .read, context: 1)
    poller.setContext(slot, UInt.max)
    #expect(try poller.harvest() == [UInt.max: .read])
    #expect(poller.registrations == [slot])
    #expect(poller.descriptor(of: slot) == pair.near)
    #expect(poller.interest(of: slot) == .read)
  }

  @Test("An error says what was asked, what happened, and what to do")
  func description() {
    let error = BackendError(.add, descriptor: 7, code: EPERM)
    #expect(
      error.description == """
        registering descriptor 7 failed: EPERM (Operation not permitted). It cannot be polled: it is a regular file, a \
        directory, or a device that is always ready. Read or write it directly.
        """)
  }
}
