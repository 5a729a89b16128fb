/// The rules of queues, in order.
let queueRules: [Rule] = [.q1, .q2, .q3, .q4, .q5, .q6, .q7, .q8, .q9, .q10, .q11, .q12, .q13]

/// Files that rules of this family point to.
enum QueueFiles {
  static let serial = "Sources/HawtDispatch/Queues/SerialQueue.swift"
  static let thread = "Sources/HawtDispatch/Queues/ThreadQueue.swift"
  static let global = "Sources/HawtDispatch/Queues/GlobalQueue.swift"
  static let dispatcher = "Sources/HawtDispatch/Dispatcher/Dispatcher.swift"
}
