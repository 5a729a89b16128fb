import Glibc
import Polling

// Flaws of add, change and remove, and of what a backend takes from the system.

/// What was taken out is reported on.
struct IgnoredRemoval: Flaw {
  private var left: [CInt: Interest] = [:]

  mutating func add(
    _ descriptor: CInt, _ token: Token, _ interest: Interest, in base: inout Sound
  ) throws(BackendError) {
    if let old = left.removeValue(forKey: descriptor) { base.remove(descriptor, token, from: old) }
    try base.add(descriptor, token, interest)
  }

  mutating func remove(_ descriptor: CInt, _ token: Token, from interest: Interest, in base: inout Sound) {
    left[descriptor] = interest
  }
}

/// Registering takes effect with the next wait, where nobody can be told of a refusal.
struct LazyAdd: Flaw {
  private var noted: [(descriptor: CInt, token: Token, interest: Interest)] = []

  mutating func add(
    _ descriptor: CInt, _ token: Token, _ interest: Interest, in base: inout Sound
  ) throws(BackendError) {
    noted.append((descriptor, token, interest))
  }

  mutating func change(
    _ descriptor: CInt, _ token: Token, from old: Interest, to new: Interest, in base: inout Sound
  ) throws(BackendError) {
    flush(&base)
    try base.change(descriptor, token, from: old, to: new)
  }

  mutating func remove(_ descriptor: CInt, _ token: Token, from interest: Interest, in base: inout Sound) {
    flush(&base)
    base.remove(descriptor, token, from: interest)
  }

  mutating func wait(_ mode: WaitMode, capacity: Int, in base: inout Sound) throws(BackendError) -> [Report] {
    flush(&base)
    return try soundReports(mode, capacity: capacity, in: &base)
  }

  private mutating func flush(_ base: inout Sound) {
    for one in noted { try? base.add(one.descriptor, one.token, one.interest) }
    noted = []
  }
}

/// Whatever the system refuses, the caller hears of the same error.
struct OneErrorForAll: Flaw {
  mutating func add(
    _ descriptor: CInt, _ token: Token, _ interest: Interest, in base: inout Sound
  ) throws(BackendError) {
    do {
      try base.add(descriptor, token, interest)
    } catch {
      throw BackendError(.add, descriptor: descriptor, code: EINVAL)
    }
  }
}

/// An interest that becomes empty stays as it was.
struct EmptyInterestStays: Flaw {
  private var real: [CInt: Interest] = [:]

  mutating func change(
    _ descriptor: CInt, _ token: Token, from old: Interest, to new: Interest, in base: inout Sound
  ) throws(BackendError) {
    let before = real.removeValue(forKey: descriptor) ?? old
    if new.isEmpty {
      real[descriptor] = before
    } else if before != new {
      try base.change(descriptor, token, from: before, to: new)
    }
  }

  mutating func remove(_ descriptor: CInt, _ token: Token, from interest: Interest, in base: inout Sound) {
    base.remove(descriptor, token, from: real.removeValue(forKey: descriptor) ?? interest)
  }
}

/// What was empty stays so.
struct EmptyInterestForever: Flaw {
  private var empty: Set<CInt> = []

  mutating func change(
    _ descriptor: CInt, _ token: Token, from old: Interest, to new: Interest, in base: inout Sound
  ) throws(BackendError) {
    if empty.contains(descriptor) { return }
    if new.isEmpty { empty.insert(descriptor) }
    try base.change(descriptor, token, from: old, to: new)
  }

  mutating func remove(_ descriptor: CInt, _ token: Token, from interest: Interest, in base: inout Sound) {
    base.remove(descriptor, token, from: empty.remove(descriptor) == nil ? interest : [])
  }
}

/// A direction that is added takes the place of the other.
struct AddedReplaces: Flaw {
  private var real: [CInt: Interest] = [:]

  mutating func change(
    _ descriptor: CInt, _ token: Token, from old: Interest, to new: Interest, in base: inout Sound
  ) throws(BackendError) {
    let before = real.removeValue(forKey: descriptor) ?? old
    let after = !old.isEmpty && new.isStrictSuperset(of: old) ? new.subtracting(old) : new
    if after != new { real[descriptor] = after }
    if before != after { try base.change(descriptor, token, from: before, to: after) }
  }

  mutating func remove(_ descriptor: CInt, _ token: Token, from interest: Interest, in base: inout Sound) {
    base.remove(descriptor, token, from: real.removeValue(forKey: descriptor) ?? interest)
  }
}

/// A number that comes back is reported under the token that it had the first time.
struct StaleToken: Flaw {
  private var first: [CInt: Token] = [:]
  private var stale: [Token: Token] = [:]

  mutating func add(
    _ descriptor: CInt, _ token: Token, _ interest: Interest, in base: inout Sound
  ) throws(BackendError) {
    try base.add(descriptor, token, interest)
    if let old = first[descriptor] { stale[token] = old } else { first[descriptor] = token }
  }

  mutating func wait(_ mode: WaitMode, capacity: Int, in base: inout Sound) throws(BackendError) -> [Report] {
    try soundReports(mode, capacity: capacity, in: &base).map {
      Report(token: stale[$0.token] ?? $0.token, readiness: $0.readiness)
    }
  }
}

/// A descriptor of the backend's own goes to every program that the process starts.
struct Inherited: Flaw {
  private final class Descriptor {
    private let number = open("/dev/null", O_RDONLY)
    deinit { close(number) }
  }

  private let descriptor = Descriptor()
}

/// A descriptor of the backend's own is never closed.
struct LeftOpen: Flaw {
  private let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
}

/// The devices that the kernel refuses are called ready, as `poll(2)` has it, and nothing is declared.
struct UnlikeOthers: Flaw {
  private var alwaysReady: [Token: Interest] = [:]

  mutating func add(
    _ descriptor: CInt, _ token: Token, _ interest: Interest, in base: inout Sound
  ) throws(BackendError) {
    do {
      try base.add(descriptor, token, interest)
    } catch {
      var status = stat()
      guard error.code == EPERM, fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFCHR else {
        throw error
      }
      alwaysReady[token] = interest
    }
  }

  mutating func remove(_ descriptor: CInt, _ token: Token, from interest: Interest, in base: inout Sound) {
    if alwaysReady.removeValue(forKey: token) == nil { base.remove(descriptor, token, from: interest) }
  }

  mutating func wait(_ mode: WaitMode, capacity: Int, in base: inout Sound) throws(BackendError) -> [Report] {
    let always = alwaysReady.map { Report(token: $0.key, readiness: $0.value) }
    return try soundReports(always.isEmpty ? mode : .now, capacity: capacity, in: &base) + always
  }
}
