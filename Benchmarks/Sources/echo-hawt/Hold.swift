import Glibc
import HawtDispatch

/// Blocks whichever worker takes it for a second, as a call that nobody expected to block.
func hold(_ dispatcher: Dispatcher) {
  dispatcher.global().async { sleep(1) }
}
