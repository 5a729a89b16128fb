#if ConformanceCommand
  import Glibc

  /// Where lines go: standard output, or what a test looks at.
  struct Output {
    private let take: (String) -> Void

    init(_ take: @escaping (String) -> Void) { self.take = take }

    /// Each line is out before what follows may crash.
    static var standard: Output {
      Output { line in
        Swift.print(line)
        // The trace's file, too: what is lost would be believed to be there.
        guard fflush(nil) == 0 else {
          ConformanceMain.end("what there is to say cannot be written: \(String(cString: strerror(errno)))")
        }
      }
    }

    func print(_ line: String) { take(line) }
  }
#endif
