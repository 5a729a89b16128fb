import HawtDispatch

extension Rule {
  /// C3: how elements are folded.
  static let c3 = Rule(
    "C3", "Sum, bit-or, replace, list (each producer's order kept), set, and a user's own aggregator.",
    why: "What is coalesced has to mean what its user means: a count, a set of flags, the newest state, or every item.",
    whereToLook: ["Sources/HawtDispatch/Sources/MergingSource.swift (Aggregation)"],
    checks: [
      Check("each aggregation, of what is merged while suspended", eachAggregation),
      Check("each producer's order in a list", producersOrder),
      Check("sets and flags under many producers", setsAndFlags),
      Check("replace delivers the last one last", replaceEndsWithTheLast),
      Check("sums wrap", sumsWrap),
    ])
}

/// Merges `elements` while the source is suspended, and returns the one delivery of all.
private func aggregate<Element: Sendable, Aggregate: Sendable>(
  _ bench: Bench, _ aggregation: Aggregation<Element, Aggregate>, _ elements: [Element], on queue: any Queue
) throws -> [Aggregate] {
  let seen = bench.context.recorder(of: Aggregate.self)
  let source = bench.dispatcher.makeMergingSource(aggregation, target: queue) { seen.append($0) }
  try source.activate()
  source.suspend()
  for element in elements { source.merge(element) }
  source.resume()
  try seen.wait(forCount: 1, of: "an aggregate of \(elements.count) elements")
  try bench.context.drain(queue)
  source.cancel()
  bench.context.record("aggregates")
  return seen.all
}

private func eachAggregation(_ context: CheckContext) throws {
  let bench = try context.bench()
  for (name, queue) in try bench.targets() {
    func expect<Value: Equatable>(_ what: String, _ seen: [Value], _ wanted: Value) {
      context.expect(seen == [wanted], "on \(name), the \(what) was delivered as \(seen); wanted [\(wanted)]")
    }
    expect("sum", try aggregate(bench, Aggregation<Int, Int>.sum, [1, 2, 39], on: queue), 42)
    expect("sum of one", try aggregate(bench, Aggregation<Int, Int>.sum, [0], on: queue), 0)
    expect("bit-or", try aggregate(bench, Aggregation<UInt8, UInt8>.or, [1, 4, 1, 128], on: queue), 133)
    expect("replacement", try aggregate(bench, Aggregation<String, String>.replace, ["a", "b", "c"], on: queue), "c")
    expect(
      "list", try aggregate(bench, Aggregation<String, [String]>.list, ["b", "a", "b"], on: queue), ["b", "a", "b"])
    expect("set", try aggregate(bench, Aggregation<Int, Set<Int>>.set, [3, 1, 3, 2, 1], on: queue), [1, 2, 3])
    let extremes = Aggregation<Int, ClosedRange<Int>>(
      first: { $0...$0 }, fold: { $0 = min($0.lowerBound, $1)...max($0.upperBound, $1) })
    expect("user's own", try aggregate(bench, extremes, [5, -2, 9, 0], on: queue), -2...9)
  }
}

private func producersOrder(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  let each = context.scaled(20_000, minimum: 500)
  for target in try bench.targets() {
    let seen = Shared<[[Int]]>([[], [], []])
    let count = Tally()
    let source = bench.dispatcher.makeMergingSource(
      Aggregation<(producer: Int, number: Int), [(producer: Int, number: Int)]>.list, target: target.queue
    ) { items in
      seen.with { for item in items { $0[item.producer].append(item.number) } }
      count.add(items.count)
    }
    try source.activate()
    try context.onThreads(3) { index, random in
      for number in 0..<each {
        source.merge((index, number))
        if random.oneIn(500) {
          source.suspend()
          source.resume()
        }
      }
    }
    try context.eventually("all items came to \(target.name)", { count.value >= 3 * each })
    let all = seen.with { $0 }
    context.expect(
      all.allSatisfy { $0 == Array(0..<each) },
      "on \(target.name), a producer's items came in another order, or not all")
    source.cancel()
    context.record("items", count.value)
  }
}

private func setsAndFlags(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  let each = context.scaled(5_000, minimum: 500)
  for target in try bench.targets() {
    let flags = Shared<UInt64>(0)
    let items = Shared<Set<Int>>([])
    let flagSource = bench.dispatcher.makeMergingSource(Aggregation<UInt64, UInt64>.or, target: target.queue) { some in
      if some == 0 { context.fail("on \(target.name), flags were delivered and none was set") }
      flags.with { $0 |= some }
    }
    let itemSource = bench.dispatcher.makeMergingSource(Aggregation<Int, Set<Int>>.set, target: target.queue) { some in
      if some.isEmpty { context.fail("on \(target.name), an empty set was delivered") }
      items.with { $0.formUnion(some) }
    }
    try flagSource.activate()
    try itemSource.activate()
    try context.onThreads(3) { index, random in
      for number in 0..<each {
        itemSource.merge(number * 3 + index)
        flagSource.merge(1 << UInt64(number % 64))
      }
    }
    try context.eventually("all items came to \(target.name)", { items.with { $0.count } == 3 * each })
    try context.eventually("all flags came to \(target.name)", { flags.with { $0 } == .max })
    flagSource.cancel()
    itemSource.cancel()
    context.record("items and flags", 6 * each)
  }
}

private func replaceEndsWithTheLast(_ context: CheckContext) throws {
  let bench = try context.bench()
  let last = context.scaled(50_000, minimum: 1_000)
  for target in try bench.targets() {
    let seen = Unguarded(-1)
    let newest = Tally(-1)
    let source = bench.dispatcher.makeMergingSource(Aggregation<Int, Int>.replace, target: target.queue) { number in
      if number <= seen.value { context.fail("on \(target.name), \(number) was delivered after \(seen.value)") }
      seen.value = number
      newest.set(number)
    }
    try source.activate()
    for number in 0...last { source.merge(number) }
    try context.eventually("the last element is delivered on \(target.name)", { newest.value == last })
    try context.drain(target.queue)
    source.cancel()
    context.record("replacements", last)
  }
}

private func sumsWrap(_ context: CheckContext) throws {
  let bench = try context.bench()
  for (name, queue) in try bench.targets() {
    let seen = try aggregate(bench, Aggregation<UInt8, UInt8>.sum, [200, 100], on: queue)
    context.expect(seen == [44], "on \(name), a sum that overflows was delivered as \(seen); wanted [44]")
    let signed = try aggregate(bench, Aggregation<Int, Int>.sum, [Int.max, 1], on: queue)
    context.expect(signed == [Int.min], "on \(name), a sum that overflows was delivered as \(signed)")
  }
}
