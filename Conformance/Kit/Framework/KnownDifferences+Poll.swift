import Glibc
import Polling

extension KnownDifference {
  /// Rows in which any backend over `poll(2)` differs that refuses files by their kind, as it must to be like the others.
  public static let ofPoll =
    ["/dev/null", "/dev/zero", "/dev/full", "/dev/urandom"].map {
      row(
        $0, is: .ready([.read, .write]),
        because: "poll(2) takes a device without a way to wait for ready; epoll refuses it")
    } + [
      row(
        "a path that is not opened", is: .refused(EPERM),
        because: "what it is, a directory, is looked at before it is found that it cannot be used"),
      row(
        "mounts of /proc", is: .refused(EPERM),
        because: "it counts as a regular file, although this one file of /proc can be waited for"),
    ]

  /// What differs with libevent's `poll` method.
  static let ofLibeventOnPoll =
    ofPoll + [
      check(
        "B8", closedIsSilent, saying: "told a number that is closed",
        because: "poll(2) reports a number that was closed, and libevent tells it as readiness; epoll has forgotten it")
    ]
}
