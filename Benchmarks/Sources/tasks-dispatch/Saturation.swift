import Dispatch
import Support
import Synchronization

/// How long a task of low priority waits while tasks of default priority, which post themselves, keep all threads busy.
func latencyOfLowPriority() -> Int {
  let count = 2000
  let low = DispatchQueue.global(qos: .utility)
  let gate = Gate()
  let latencies = Latencies()
  let saturation = Saturation(chains: 100, on: .global())
  for _ in 0..<count { latencies.measure(gate) { low.async { gate.signal() } } }
  saturation.end()
  latencies.report()
  return count
}

/// Tasks that post themselves until they are told to end.
private final class Saturation: Sendable {
  private let isOver = Atomic(false)
  private let gate = Gate()
  private let count: Int

  init(chains count: Int, on queue: DispatchQueue) {
    self.count = count
    for _ in 0..<count { step(queue) }
  }

  private func step(_ queue: DispatchQueue) {
    queue.async { [self] in
      if isOver.load(ordering: .relaxed) { gate.signal() } else { step(queue) }
    }
  }

  func end() {
    isOver.store(true, ordering: .relaxed)
    gate.wait(count)
  }
}
