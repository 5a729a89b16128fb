internal import Glibc

/// W3: so many threads of the system, none of a peer's own, each of which calls `body` with its share of a million, or
/// of less with `--scale`.
package func produce(_ producers: Int, _ body: @escaping @Sendable (_ count: Int) -> Void) -> Int {
  let share = Int(1_000_000 * number("scale", 1)) / producers
  var threads: [pthread_t] = []
  for _ in 0..<producers {
    let work = Unmanaged.passRetained(Work(share, body))
    var thread = pthread_t()
    let result = pthread_create(
      &thread, nil,
      { argument in
        let work = Unmanaged<Work>.fromOpaque(argument!).takeRetainedValue()
        work.body(work.count)
        return nil
      }, work.toOpaque())
    precondition(result == 0, "no thread for a producer: \(String(cString: strerror(result)))")
    threads.append(thread)
  }
  for thread in threads { pthread_join(thread, nil) }
  return share * producers
}

private final class Work {
  let count: Int
  let body: @Sendable (Int) -> Void

  init(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    self.count = count
    self.body = body
  }
}
