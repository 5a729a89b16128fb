import ArgumentParser
import Glibc
import HawtConformance

// A child that a check started must not parse a command line: it is not for it.
runScenarioIfAsked()

do {
  let command = try ConformanceCommand.parse()
  try command.run()
} catch let code as ExitCode {
  exit(code.rawValue)
} catch {
  // The parser's own code for wrong usage is 64; scripts are promised 3.
  let isHelp = ConformanceCommand.exitCode(for: error) == .success
  print(ConformanceCommand.fullMessage(for: error))
  exit(isHelp ? 0 : 3)
}
