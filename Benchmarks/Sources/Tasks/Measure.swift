import Glibc

/// Nanoseconds of the monotonic clock.
func now() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Blocks a foreign thread until it has been signalled often enough.
final class Gate: @unchecked Sendable {
  // Sound as Sendable: a POSIX semaphore is made for this.
  private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
  init() { sem_init(semaphore, 0, 0) }
  deinit { semaphore.deallocate() }
  func signal() { sem_post(semaphore) }
  func wait(_ count: Int = 1) { for _ in 0..<count { while sem_wait(semaphore) != 0 {} } }
}

/// A workload on one subject: runs once, and says how many operations that were.
struct Subject {
  let name: String
  let run: () -> Int
}

/// Runs the subjects in turn, several rounds, and prints the median with minimum and maximum, in nanoseconds per
/// operation, and the ratio to the last subject.
func compare(_ workload: String, rounds: Int, _ subjects: [Subject]) {
  var samples = [[Double]](repeating: [], count: subjects.count)
  for round in 0..<rounds + 1 {
    for (index, subject) in subjects.enumerated() {
      let begin = now()
      let operations = subject.run()
      // The first round warms up.
      if round > 0 { samples[index].append(Double(now() - begin) / Double(operations)) }
    }
  }
  let medians = samples.map { $0.sorted()[$0.count / 2] }
  for (index, subject) in subjects.enumerated() {
    let sorted = samples[index].sorted()
    let ratio = medians.last! / medians[index]
    print(
      "\(workload) \(subject.name): \(rounded(medians[index])) ns/op (\(rounded(sorted.first!))–\(rounded(sorted.last!))), \(rounded(ratio)) × \(subjects.last!.name)"
    )
  }
}

private func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }
