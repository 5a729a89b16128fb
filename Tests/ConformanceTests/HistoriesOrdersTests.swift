import Testing

@testable import HawtConformance

/// How much the model allows: of all orders in which some tasks could have run, so many and no more.
@Suite struct HistoriesOrdersTests {
  /// Six tasks, what was done before any of them ran, and how many of the 720 orders the promises leave.
  struct Case: Sendable, CustomStringConvertible {
    let description: String
    let count: Int
    let queues: [QueueName]
    let before: @Sendable (inout Scene) -> Void

    /// Six tasks that are submitted one after the other, each to its queue.
    init(
      _ description: String, _ count: Int, to queues: [QueueName],
      _ first: @escaping @Sendable (inout Scene) -> Void = { _ in }
    ) {
      self.description = description
      self.count = count
      self.queues = queues
      before = { scene in
        first(&scene)
        for (index, queue) in queues.enumerated() { scene.submitted(index + 1, to: queue) }
      }
    }

    /// Six tasks of one queue, submitted as `submit` does it.
    init(_ description: String, _ count: Int, by submit: @escaping @Sendable (inout Scene) -> Void) {
      self.description = description
      self.count = count
      queues = Array(repeating: .serial(0), count: 6)
      before = submit
    }
  }

  static let cases = [
    Case(
      "one serial queue: its own order alone", 1,
      to: [.serial(0), .serial(0), .serial(0), .serial(0), .serial(0), .serial(0)]),
    Case("a thread queue is one too", 1, to: [.thread(0), .thread(0), .thread(0), .thread(0), .thread(0), .thread(0)]),
    Case(
      "two queues, three each: 6 over 3", 20,
      to: [.serial(0), .serial(1), .serial(0), .serial(1), .serial(0), .serial(1)]),
    Case(
      "three queues, two each: 6! / 2³", 90,
      to: [.serial(0), .serial(1), .serial(2), .serial(0), .serial(1), .serial(2)]),
    Case(
      "a queue inside another one: nothing is promised between the two", 20,
      to: [.serial(0), .serial(1), .serial(0), .serial(1), .serial(0), .serial(1)]
    ) {
      $0.did(90, .retarget(1, .serial(0)))
      $0.completed(90, on: .serial(0))
    },
    Case("a concurrent queue: all", 720, to: [.global, .global, .global, .global, .global, .global]),
    Case("two calls that overlap: either first", 2) {
      $0.called(1, .submit(.serial(0)))
      $0.called(2, .submit(.serial(0)), by: .outside(1))
      $0.returned(1, .accepted)
      $0.returned(2, .accepted)
      $0.submitted(3, 4, 5, 6)
    },
    Case("one call that overlaps five: six places", 6) {
      $0.called(1, .submit(.serial(0)), by: .outside(1))
      $0.submitted(2, 3, 4, 5, 6)
      $0.returned(1, .accepted)
    },
    Case("each call overlaps the next: a Fibonacci number", 13) {
      for (mine, other) in [(1, 2), (3, 4), (5, 6)] {
        $0.called(mine, .submit(.serial(0)))
        if mine > 1 { $0.returned(other - 2, .accepted) }
        $0.called(other, .submit(.serial(0)), by: .outside(1))
        $0.returned(mine, .accepted)
      }
      $0.returned(6, .accepted)
    },
    Case("timers that are due in the order in which they were armed", 1) {
      for number in 1...6 { $0.did(number, .arm(.serial(0), .short), .accepted) }
    },
    Case("timers beside submissions: nothing is promised between the two", 20) {
      for number in 1...3 { $0.did(number, .arm(.serial(0), .short), .accepted) }
      $0.submitted(4, 5, 6)
    },
  ]

  @Test(arguments: cases) func allowsSoManyOrders(_ given: Case) {
    var allowed = 0
    for order in Self.permutations(of: Array(1...6)) {
      let scene = Scene { scene in
        given.before(&scene)
        for number in order { scene.ran(.task(number), on: given.queues[number - 1]) }
        scene.rest()
      }
      if HistoryModel.check(scene.events) == nil { allowed += 1 }
    }
    #expect(allowed == given.count)
  }

  private static func permutations(of numbers: [Int]) -> [[Int]] {
    guard let first = numbers.first else { return [[]] }
    return permutations(of: Array(numbers.dropFirst())).flatMap { shorter in
      (0...shorter.count).map { Array(shorter[..<$0]) + [first] + Array(shorter[$0...]) }
    }
  }
}
