import Glibc
import Polling

private let both: Interest = [.read, .write]

extension DescriptorState {
  /// Pipes, from either end. Their near end reads, the far one writes.
  static let pipeStates = [
    DescriptorState("pipe, reading end: empty", []) { try $0.pipe().near },
    DescriptorState("pipe, reading end: bytes have come", .read) { stage in
      let pipe = try stage.pipe()
      pipe.far.send([1])
      return pipe.near
    },
    DescriptorState("pipe, reading end: full", .read) { stage in
      let pipe = try stage.pipe()
      stage.fill(pipe.far)
      return pipe.near
    },
    DescriptorState("pipe, reading end: nobody can write", both) { stage in
      let pipe = try stage.pipe()
      pipe.far.close()
      return pipe.near
    },
    DescriptorState("pipe, reading end: bytes have come, nobody can write", both) { stage in
      let pipe = try stage.pipe()
      pipe.far.send([1])
      pipe.far.close()
      return pipe.near
    },
    DescriptorState("pipe, writing end: empty", .write) { try $0.pipe().far },
    DescriptorState("pipe, writing end: full", []) { stage in
      let pipe = try stage.pipe()
      stage.fill(pipe.far)
      return pipe.far
    },
    DescriptorState("pipe, writing end: nobody can read", both) { stage in
      let pipe = try stage.pipe()
      pipe.near.close()
      return pipe.far
    },
    DescriptorState("pipe, writing end: full, nobody can read", both) { stage in
      let pipe = try stage.pipe()
      stage.fill(pipe.far)
      pipe.near.close()
      return pipe.far
    },
  ]

  /// Pipes that have a name: an end may be there before the other.
  static let fifoStates = [
    DescriptorState("FIFO, reading end: nobody has written yet", []) { try $0.fifo(O_RDONLY)[0] },
    DescriptorState("FIFO, reading end: empty", []) { try $0.fifo(O_RDONLY, O_WRONLY)[0] },
    DescriptorState("FIFO, reading end: bytes have come", .read) { stage in
      let ends = try stage.fifo(O_RDONLY, O_WRONLY)
      ends[1].send([1])
      return ends[0]
    },
    DescriptorState("FIFO, reading end: the writer has closed", both) { stage in
      let ends = try stage.fifo(O_RDONLY, O_WRONLY)
      ends[1].close()
      return ends[0]
    },
    DescriptorState("FIFO, reading end: bytes have come, the writer has closed", both) { stage in
      let ends = try stage.fifo(O_RDONLY, O_WRONLY)
      ends[1].send([1])
      ends[1].close()
      return ends[0]
    },
    DescriptorState("FIFO, writing end: empty", .write) { try $0.fifo(O_RDONLY, O_WRONLY)[1] },
    DescriptorState("FIFO, writing end: full", []) { stage in
      let ends = try stage.fifo(O_RDONLY, O_WRONLY)
      stage.fill(ends[1])
      return ends[1]
    },
    DescriptorState("FIFO, writing end: the reader has closed", both) { stage in
      let ends = try stage.fifo(O_RDONLY, O_WRONLY)
      ends[0].close()
      return ends[1]
    },
    DescriptorState("FIFO, both ends in one: empty", .write) { try $0.fifo(O_RDWR)[0] },
    DescriptorState("FIFO, both ends in one: bytes have come", both) { stage in
      let end = try stage.fifo(O_RDWR)[0]
      end.send([1])
      return end
    },
  ]

  /// Pseudo-terminals. The slave edits lines, as terminals do by default.
  static let terminalStates = [
    DescriptorState("pty, master: idle", .write) { try $0.terminal().master },
    DescriptorState("pty, master: output has come", both) { stage in
      let terminal = try stage.terminal()
      terminal.slave.send([1])
      return terminal.master
    },
    DescriptorState("pty, master: the slave has closed", both) { stage in
      let terminal = try stage.terminal()
      terminal.slave.close()
      return terminal.master
    },
    DescriptorState("pty, slave: idle", .write) { try $0.terminal().slave },
    DescriptorState("pty, slave: half a line has come", .write) { stage in
      let terminal = try stage.terminal()
      terminal.master.send(Array("half a li".utf8))
      return terminal.slave
    },
    DescriptorState("pty, slave: a line has come", both) { stage in
      let terminal = try stage.terminal()
      terminal.master.send(Array("a line\n".utf8))
      return terminal.slave
    },
    DescriptorState("pty, slave: no room", []) { stage in
      let terminal = try stage.terminal()
      stage.fill(terminal.slave)
      return terminal.slave
    },
    DescriptorState("pty, slave: the master has closed", both) { stage in
      let terminal = try stage.terminal()
      terminal.master.close()
      return terminal.slave
    },
  ]
}

extension Stage {
  /// The ends of a fresh FIFO, in the given order; its name is gone when this returns.
  fileprivate func fifo(_ modes: CInt...) throws -> [Descriptor] {
    let path = try temporaryDirectory() + "/fifo"
    defer { unlink(path) }
    try granted(mkfifo(path, 0o600), "FIFO")
    return try modes.map { try keep(open(path, $0 | O_NONBLOCK | O_CLOEXEC), "end of a FIFO") }
  }

  /// A pseudo-terminal that nobody's session belongs to.
  fileprivate func terminal() throws -> (master: Descriptor, slave: Descriptor) {
    let master = try keep(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC), "pseudo-terminal")
    var unlocked: CInt = 0
    try granted(ioctl(master.number, tiocsptlck, &unlocked), "unlocked pseudo-terminal")
    let slave = ioctl(master.number, tiocgptpeer, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
    return (master, try keep(slave, "slave of a pseudo-terminal"))
  }
}

/// Two requests to pseudo-terminals that are macros with a cast, which Swift cannot import; the peer's works without
/// a file system of terminals.
private let tiocsptlck: UInt = 0x4004_5431
private let tiocgptpeer: UInt = 0x5441
