import Glibc
import HawtDispatch

/// Doing the steps.
extension HistoryPlayer {
  /// Does a step and logs call and return; passes over one that has nothing to work at.
  func perform(_ step: HistoryStep) {
    guard let action = prepare(step) else { return }
    log.append(.called(number: step.number, step.operation, by: step.by))
    let outcome = action()
    log.append(.returned(number: step.number, outcome))
    // Only now may somebody else end it.
    if case .suspend(let what) = step.operation { things.with { $0.permits[what, default: 0] += 1 } }
  }

  /// A task's body.
  func run(_ task: Int) throws {
    enter(.task(task))
    let body = bodies[.task(task)] ?? []
    for step in body { perform(step) }
    log.append(.ended(.task(task)))
    if body.contains(where: { $0.operation == .fail }) { throw ScriptedError() }
  }

  /// Logs that user code has begun, and where.
  func enter(_ work: HistoryWork) {
    let queue = stage.name(of: Dispatcher.currentQueue) ?? .global
    log.append(.started(work, on: queue, worker: stage.currentWorker))
  }

  func queue(_ name: QueueName) -> any Queue {
    switch name {
    case .serial(let number): queues[number]
    case .thread(let worker): stage.dispatcher.threadQueues[worker]
    case .global: stage.dispatcher.global()
    }
  }

  private func prepare(_ step: HistoryStep) -> (() -> HistoryOutcome)? {
    let number = step.number
    switch step.operation {
    case .submit(let name): return { [self] in outcome(of: queue(name).async { try self.run(number) }) }
    case .arm(let name, let delay): return { [self] in arm(number, on: queue(name), delay) }
    case .disarm(let timer): return things.with { $0.timers[timer] }.map { handle in { .disarmed(handle.cancel()) } }
    case .suspend(let what): return hold(what, { $0.suspend() }, { $0.suspend() }, { $0.suspend() })
    case .resume(let what):
      guard takePermit(what) else { return nil }
      return hold(what, { $0.resume() }, { $0.resume() }, { $0.resume() })
    case .retarget(let queue, let target): return { [self] in retarget(number, queues[queue], self.queue(target)) }
    case .connect, .makeReader, .makeWriter, .makeRefused, .makeMerger, .write, .fill, .drain, .end, .close,
      .replace:
      return prepareConnection(step)
    case .activate(let source): return withSource(source, { try $0.activate() }, { try $0.activate() })
    case .move(let source, let name):
      let target = queue(name)
      return withSource(source, { try $0.setTarget(target) }, { try $0.setTarget(target) })
    case .cancel(let source): return withSource(source, { $0.cancel() }, { $0.cancel() })
    case .take(let source, let count):
      return things.with { $0.limits[source] }.map { limit in
        {
          limit.set(count)
          return .done
        }
      }
    case .merge(let source):
      return things.with { $0.mergers[source] }.map { merger in { [self] in outcome(of: merger.merge(number)) } }
    case .dawdle(let time):
      return {
        spin(.microseconds(time))
        return .done
      }
    case .fail: return { .done }
    case .shutDown(let isPatient): return prepareShutdown(isPatient)
    case .restart:
      guard things.with({ $0.hasStopped }) else { return nil }
      return { [self] in restart() }
    case .meet: return nil
    }
  }

  // MARK: Tasks

  private func outcome(of submission: Submission) -> HistoryOutcome {
    switch submission {
    case .accepted: .accepted
    case .refused(.cancelled): .refusedCancelled
    case .refused(.shutDown): .refusedShutDown
    case .refused(.queueFull): .threw("queue full")
    }
  }

  private func arm(_ number: Int, on queue: any Queue, _ delay: Delay) -> HistoryOutcome {
    // Taken before the call, so never later than the library's own reading.
    let due = Moment(of: CLOCK_BOOTTIME).nanoseconds + delay.duration.inNanoseconds
    let handle = queue.asyncAfter(delay.duration) { [self] in
      if Moment(of: CLOCK_BOOTTIME).nanoseconds < due { log.append(.breach(.early(timer: number))) }
      try run(number)
    }
    things.with { $0.timers[number] = handle }
    return outcome(of: handle.submission)
  }

  // MARK: State

  private func takePermit(_ what: Holdable) -> Bool {
    things.with { things in
      guard let count = things.permits[what], count > 0 else { return false }
      things.permits[what] = count - 1
      return true
    }
  }

  private func hold(
    _ what: Holdable, _ onQueue: @escaping (SerialQueue) -> Void, _ onReadiness: @escaping (ReadinessSource) -> Void,
    _ onMerger: @escaping (MergingSource<Int, [Int]>) -> Void
  ) -> (() -> HistoryOutcome)? {
    switch what {
    case .queue(let number):
      return { [self] in
        onQueue(queues[number])
        return .done
      }
    case .source(let number): return withSource(number, { onReadiness($0) }, { onMerger($0) })
    }
  }

  private func withSource(
    _ name: Int, _ onReadiness: @escaping (ReadinessSource) throws -> Void,
    _ onMerger: @escaping (MergingSource<Int, [Int]>) throws -> Void
  ) -> (() -> HistoryOutcome)? {
    let (readiness, merger) = things.with { ($0.readiness[name], $0.mergers[name]) }
    if let readiness { return { [self] in outcome { try onReadiness(readiness) } } }
    if let merger { return { [self] in outcome { try onMerger(merger) } } }
    return nil
  }

  /// The kind of an error, without descriptors and texts.
  func outcome(_ body: () throws -> Void) -> HistoryOutcome {
    do {
      try body()
      return .done
    } catch SourceError.registration(let refusal) {
      return .threw(HistoryConnection.name(of: refusal.code))
    } catch SourceError.cancelled {
      return .threw("cancelled")
    } catch SourceError.stopped, DispatcherError.stopped {
      return .threw("stopped")
    } catch DispatcherError.targetCycle {
      return .threw("cycle")
    } catch DispatcherError.running {
      return .threw("running")
    } catch {
      return .threw("\(type(of: error))")
    }
  }

  private func retarget(_ number: Int, _ queue: SerialQueue, _ target: any Queue) -> HistoryOutcome {
    outcome {
      try queue.setTarget(target) { [self] result in
        enter(.completion(number))
        log.append(.completed(number, isSuperseded: result == .superseded))
        log.append(.ended(.completion(number)))
      }
    }
  }

  // MARK: The dispatcher

  private func prepareShutdown(_ isPatient: Bool) -> (() -> HistoryOutcome)? {
    let isFirst = things.with { things in
      guard !things.isStopping else { return false }
      things.isStopping = true
      things.isStoppingPatiently = isPatient
      return true
    }
    guard isFirst else { return nil }
    // What is held by a suspension can never run, so whoever does not resume it must not wait for it.
    let deadline = isPatient ? patience : .milliseconds(20)
    return { [self] in
      let start = Moment.now
      stage.dispatcher.shutdown(deadline: deadline) { [self] report in
        let isInTime = start.elapsed < deadline
        // In one step: who sees the report finds that it has stopped, and the other way round.
        things.with {
          log.append(
            .reported(
              discarded: report.discardedTasks, dropped: report.droppedTimers, stuck: report.stuckThreads.count,
              isInTime: isInTime))
          $0.hasStopped = true
        }
      }
      return .done
    }
  }

  private func restart() -> HistoryOutcome {
    things.with {
      $0.isStopping = false
      $0.hasStopped = false
    }
    return outcome { try stage.dispatcher.restart() }
  }
}

/// What a task throws that is told to.
private struct ScriptedError: Error {}
