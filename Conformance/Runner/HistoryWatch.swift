#if ConformanceCommand
  import Glibc

  /// Says which history was being played when the process dies of it, or does not get on: without its name nobody could
  /// play it again.
  enum HistoryWatch {
    private static let size = 512
    /// A C string that signal handlers print. Sound without a lock: it is never freed, and a handler that meets it half
    /// written prints a garbled name at worst.
    nonisolated(unsafe) private static let note: UnsafeMutablePointer<CChar> = {
      let note = UnsafeMutablePointer<CChar>.allocate(capacity: size)
      note.initialize(repeating: 0, count: size)
      return note
    }()
    /// What was done about each signal before. Written before any handler is installed, and never freed.
    nonisolated(unsafe) private static let former = UnsafeMutablePointer<sigaction>.allocate(capacity: 32)

    /// From now on a crash names the history.
    static func begin() {
      _ = note
      for signal in [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGABRT] {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { signal in
          HistoryWatch.printNote()
          // Back in the instruction that failed, the former handler gets its turn.
          sigaction(signal, HistoryWatch.former + Int(signal), nil)
        }
        sigaction(signal, &action, former + Int(signal))
      }
      signal(SIGALRM) { _ in
        HistoryWatch.printNote()
        _exit(1)
      }
    }

    /// A history is about to be played, for `seconds` at most.
    static func willPlay(_ name: String, atMost seconds: Int) {
      let text = "hawt-conformance: the process ended in history \(name)\n"
      _ = text.withCString { strncpy(note, $0, size - 1) }
      alarm(UInt32(seconds))
    }

    static func end() {
      alarm(0)
      note[0] = 0
    }

    private static func printNote() { _ = write(2, note, strlen(note)) }
  }
#endif
