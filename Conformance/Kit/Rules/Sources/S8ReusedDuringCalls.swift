import HawtDispatch

// S8, the part about a number that becomes another's between what the library asks the system about it and what it tells the
// backend.

func reusedDuringCalls(_ context: CheckContext) throws {
  let (bench, observer) = try context.observedBench()
  let thread = bench.dispatcher.threadQueues[0]
  for kind in Pokable.kinds {
    for operation in [BackendCall.Operation.change, .remove] {
      let circumstances = "\(kind) whose number is reused during a \(operation)"
      let old = try Pokable(kind, bench)
      let new = try Pokable(kind, bench)
      let duplicate = bench.keep(old.descriptor.duplicate())
      let number = old.descriptor.number
      let (calls, reused) = (Tally(), context.latch())
      observer.beforeCalls { present, descriptor in
        guard present == operation, descriptor == number, calls.add() == 1 else { return }
        old.descriptor.become(new.descriptor)
        reused.signal()
      }
      // Suspended and still ready, it is taken out of the kernel's set by a change; otherwise by its cancel.
      let source = try bench.activeSource(old.descriptor, on: thread) { $0.suspend() }
      if operation == .change { old.poke() } else { source.cancel() }
      try reused.wait(for: "the call, of \(circumstances)")
      observer.beforeCalls(nil)
      try bench.cancelAndWait(source)
      let successor = try Successor(bench, on: old.descriptor, target: thread)
      old.poke()
      try successor.expectNothing(bench, circumstances)
      try successor.expectOwn(bench, new.poke, circumstances)
      bench.expectCalm(circumstances)
      try bench.cancelAndWait(successor.source)
      duplicate.close()
      context.record("numbers reused during calls")
    }
  }
}
