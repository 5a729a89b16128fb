internal import CLinux
internal import Glibc
internal import Synchronization

/// The thread of a worker, from its start to its end.
enum WorkerThread {
  /// Starts it.
  static func start(_ worker: Worker, of dispatcher: DispatcherCore) throws(DispatcherError) {
    let baton = Unmanaged.passRetained(Baton(worker: worker, dispatcher: dispatcher))
    var thread = pthread_t()
    // The hook at its start is user code, so it counts as busy from now on.
    worker.busySince.store(monotonicNow(), ordering: .relaxed)
    worker.isStarted.store(true, ordering: .sequentiallyConsistent)
    let code = pthread_create(&thread, nil, { WorkerThread.main($0) }, baton.toOpaque())
    guard code == 0 else {
      worker.isStarted.store(false, ordering: .sequentiallyConsistent)
      baton.release()
      throw .systemRefused(what: "a thread for worker \(worker.index) of dispatcher '\(dispatcher.name)'", errno: code)
    }
    worker.setThread(thread, baton.takeUnretainedValue().ended)
  }

  /// What the starter hands the thread. The thread keeps the dispatcher alive.
  private final class Baton {
    let worker: Worker
    let dispatcher: DispatcherCore
    let ended = Waiter()
    init(worker: Worker, dispatcher: DispatcherCore) {
      self.worker = worker
      self.dispatcher = dispatcher
    }
  }

  private static func main(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    let baton = Unmanaged<Baton>.fromOpaque(argument!).takeRetainedValue()
    let worker = baton.worker
    let settings = baton.dispatcher.settings
    setUp(worker, settings)
    settings.onWorkerStart?(worker.index)
    while !worker.custody.isLeaving { worker.turn() }
    settings.onWorkerStop?(worker.index)
    hawt_set_current_worker(nil)
    if !worker.custody.isAbandoned { worker.isStarted.store(false, ordering: .sequentiallyConsistent) }
    worker.letGoOfKept()
    baton.ended.signal()
    // Of a thread that was left behind: the queue that held it may be the last thing that nobody can reach any more.
    if worker.custody.isAbandoned { baton.dispatcher.shutdown.discardIfAbandoned(baton.dispatcher) }
    return nil
  }

  private static func setUp(_ worker: Worker, _ settings: Settings) {
    hawt_set_current_worker(Unmanaged.passUnretained(worker).toOpaque())
    blockBrokenPipes()
    let name = WorkerThread.name(settings.name, worker.index)
    name.withCString { hawt_name_this_thread($0) }
    if settings.bindsWorkersToCPUs { _ = hawt_bind_to_nth_cpu(CInt(worker.index)) }
  }

  /// On a thread of the library's own: a write to a peer that is gone must not kill the process; the disposition of SIGPIPE
  /// is the application's.
  static func blockBrokenPipes() {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGPIPE)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
  }

  /// A name that the kernel takes: 15 bytes, without control characters, the number kept whole.
  static func name(_ dispatcher: String, _ index: Int) -> String {
    let suffix = "-\(index)"
    var name = ""
    for scalar in dispatcher.unicodeScalars {
      let clean: Unicode.Scalar = scalar.value < 32 || scalar.value == 127 ? "_" : scalar
      guard name.utf8.count + String(clean).utf8.count + suffix.utf8.count <= 15 else { break }
      name.unicodeScalars.append(clean)
    }
    return name + suffix
  }
}
