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
    /// process: 0 all conform, 1 a rule is broken, 2 backends differ, 3 wrong usage.
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
        // The parser's own code for wrong usage is 64; scripts are promised 3.
        let isHelp = ConformanceCommand.exitCode(for: error) == .success
        let message = ConformanceCommand.fullMessage(for: error)
        // What was asked for goes to the output, what was not to the errors: the output may be for a program.
        if isHelp {
          print(message)
        } else {
          (message + "\n").utf8CString.withUnsafeBytes { _ = write(STDERR_FILENO, $0.baseAddress, $0.count - 1) }
        }
        exit(isHelp ? 0 : 3)
      }
    }
  }
#endif
