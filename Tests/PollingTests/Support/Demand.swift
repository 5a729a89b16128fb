import Glibc

/// A requirement in the child process of an exit test, where a failed one has to end the process and say why.
func demand(
  _ condition: Bool, _ message: @autoclosure () -> String = "", line: UInt = #line
) {
  guard !condition else { return }
  let text = "demand failed at line \(line): \(message())\n"
  _ = write(STDERR_FILENO, text, text.utf8.count)
  exit(EXIT_FAILURE)
}
