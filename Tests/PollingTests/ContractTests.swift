import Polling
import Testing

/// The small values of the contract.
@Suite struct ContractTests {
  @Test func aTokenPacksSlotAndGeneration() {
    let token = Token(slot: 0xFFFF_FFFF, generation: 0x8000_0001)
    #expect(token.slot == 0xFFFF_FFFF)
    #expect(token.generation == 0x8000_0001)
    #expect(Token(rawValue: token.rawValue) == token)
    #expect(Token(slot: 1, generation: 0) != Token(slot: 0, generation: 1))
  }

  @Test func aFullBufferIgnoresWhatTheLevelSaysAgain() {
    var buffer = ReadyBuffer(capacity: 2)
    for slot in 0..<3 { buffer.append(Token(slot: UInt32(slot), generation: 0), .read) }
    #expect(buffer.count == 2)
    #expect(buffer.remaining == 0)
    #expect(buffer[1].token.slot == 1)
    buffer.removeAll()
    #expect(buffer.count == 0)
    #expect(buffer.remaining == 2)
  }

  @Test func anInterestDescribesItself() {
    #expect(Interest([.read, .write]).description == "read+write")
    #expect(Interest().description == "nothing")
  }

  @Test(arguments: Subject.all)
  func aBackendSaysItsName(_ subject: Subject) throws {
    #expect(try subject.makePoller().identity == subject.backend.identity)
  }
}
