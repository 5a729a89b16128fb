#if ConformanceCommand
  import ArgumentParser
  import Glibc
  public import HawtConformance
  public import Polling

  /// The whole of a command that verifies backends: its `main.swift` is one line.
  ///
  /// ```swift
  /// ConformanceMain.run(MyBackend.self)
  /// ```
  public enum ConformanceMain {
    /// Verifies anybody's backend as the command line says, and ends the process.
    public static func run<B: PollingBackend & ~Copyable>(_ type: B.Type) -> Never { run([Subject(type)]) }

    /// Verifies `subjects`, or those backends that the command line names, which may be the library's too, and ends the
    /// process: 0 all conform, 1 a rule is broken, 2 backends differ, 3 wrong usage, 4 it could not be done.
    public static func run(_ subjects: [Subject]) -> Never {
      let others = Subject.all.filter { one in !subjects.contains { $0.name == one.name } }
      // A child that a check started must not parse a command line: it is not for it.
      runScenarioIfAsked(subjects: subjects + others)
      do {
        let command = try ConformanceCommand.parse()
        try command.run(on: subjects, others: others)
        exit(0)
      } catch let code as ExitCode {
        exit(code.rawValue)
      } catch {
        let message = ConformanceCommand.fullMessage(for: error)
        // The parser's own code for wrong usage is 64; scripts are promised 3.
        switch ConformanceCommand.exitCode(for: error) {
        case .success:
          print(message)
          exit(0)
        case .validationFailure:
          tell(message)
          exit(3)
        default: end("\(error)")
        }
      }
    }

    /// Says why it could not be done, and ends the process.
    static func end(_ why: String) -> Never {
      tell("Error: \(why)")
      exit(4)
    }

    /// What nobody asked for goes to the errors: the output may be for a program.
    private static func tell(_ message: String) {
      (message + "\n").utf8CString.withUnsafeBytes { _ = write(STDERR_FILENO, $0.baseAddress, $0.count - 1) }
    }
  }
#endif
