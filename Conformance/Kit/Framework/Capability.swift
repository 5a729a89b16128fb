import Glibc

/// What a rule needs of the machine, beside a backend: where it is missing, the rule is skipped and says so.
public enum Capability: String, Sendable, Hashable, CaseIterable, CustomStringConvertible {
  /// Starting an executable that runs scenarios; see `runScenarioIfAsked`.
  case childProcess
  /// The kernel's view of this process, under `/proc`.
  case processFiles
  /// A descriptor of a child process: `pidfd_open`, since Linux 5.3 and glibc 2.36.
  case processDescriptors
  /// Pseudo-terminals.
  case terminals

  /// What it is, in words that say what would supply it.
  public var what: String {
    switch self {
    case .childProcess:
      "a child process (call runScenarioIfAsked() first in main, or name an executable that does in "
        + "Options.scenarioExecutable or HAWT_CONFORMANCE_EXECUTABLE)"
    case .processFiles: "/proc/self"
    case .processDescriptors: "pidfd_open (Linux 5.3, glibc 2.36)"
    case .terminals: "/dev/ptmx"
    }
  }

  /// The name.
  public var description: String { rawValue }

  /// Whether this machine, and this run, has it.
  func isPresent(_ options: Options) -> Bool {
    switch self {
    case .childProcess: options.foundScenarioExecutable != nil
    case .processFiles: access("/proc/self/fdinfo", R_OK) == 0 && access("/proc/self/task", R_OK) == 0
    case .processDescriptors: Self.opensProcesses
    case .terminals: access("/dev/ptmx", R_OK | W_OK) == 0
    }
  }

  private static var opensProcesses: Bool {
    let descriptor = MissingCalls.openProcess(getpid())
    guard descriptor >= 0 else { return false }
    close(descriptor)
    return true
  }
}

extension Rule {
  /// What it needs and `options`, or the machine, do not have, by name.
  public func missing(_ options: Options) -> [Capability] {
    capabilities.filter { options.withheld.contains($0) || !$0.isPresent(options) }.sorted { $0.rawValue < $1.rawValue }
  }
}
