import CLinux
import Glibc

/// A non-blocking eventfd, readable if `value` is not 0: the simplest descriptor whose identity cannot be proved.
func eventfd(_ value: UInt32) -> CInt {
  CLinux.eventfd(value, hawt_eventfd_flags)
}

/// Makes an eventfd readable.
func signal(_ descriptor: CInt) {
  var one: UInt64 = 1
  precondition(write(descriptor, &one, 8) == 8)
}
