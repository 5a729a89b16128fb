/// The byte that belongs at each position of a stream: lost, doubled or swapped bytes meet another's place, where 255
/// of 256 differ.
struct BytePattern {
  private let seed: UInt64

  /// - Parameter stream: which stream; bytes that stray into another one do not fit there either.
  init(stream: Int) { seed = UInt64(truncatingIfNeeded: stream) &* 0xD6E8_FEB8_6659_FD93 }

  @inline(__always)
  subscript(position: Int) -> UInt8 {
    UInt8(truncatingIfNeeded: ((UInt64(truncatingIfNeeded: position) ^ seed) &* 0x9E37_79B9_7F4A_7C15) >> 56)
  }

  func fill(_ buffer: UnsafeMutableRawBufferPointer, from position: Int) {
    for index in 0..<buffer.count { buffer[index] = self[position &+ index] }
  }

  /// How many of `bytes` do not belong where they stand.
  func mismatches(_ bytes: UnsafeRawBufferPointer, from position: Int) -> Int {
    var count = 0
    for index in 0..<bytes.count where bytes[index] != self[position &+ index] { count += 1 }
    return count
  }
}
