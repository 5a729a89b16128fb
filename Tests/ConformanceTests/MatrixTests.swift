import HawtConformance
import Polling
import Testing

/// The readiness matrix, a case for each row and backend.
@Suite struct MatrixTests {
  @Test(arguments: Subject.all, DescriptorState.all)
  func row(_ subject: Subject, _ state: DescriptorState) throws {
    for interest in ReadinessMatrix.interests {
      let cell = try ReadinessMatrix.cell(state, interest, on: subject)
      #expect(cell.isAsWanted, "\(subject): \(cell)")
    }
  }

  @Test func rowsAreManyAndEachIsNamedOnce() {
    let names = DescriptorState.all.map(\.name)
    #expect(names.count >= 50)
    #expect(Set(names).count == names.count)
    // Where kernels differ is the exception.
    #expect(DescriptorState.all.count { $0.expected == .alike } <= 6)
  }

  @Test func theTableHasALineForEachRowAndAColumnForEachBackend() throws {
    let subjects = [Subject.builtIn[0], Subject.builtIn[0]]
    let table = try MatrixTable(of: subjects)
    #expect(table.count == DescriptorState.all.count * 3 * 2)
    #expect(table.failures.isEmpty && table.differences.isEmpty)
    let lines = table.description.split(separator: "\n")
    for state in DescriptorState.all {
      #expect(lines.count { $0.hasPrefix(state.name + " ") } >= 1, "\(state) has no line")
    }
  }

  @Test func aDifferenceThatIsDeclaredAndNotThereFails() throws {
    let state = try #require(DescriptorState.all.first { $0.name == "TCP: idle" })
    let declared = KnownDifference.row(state.name, is: .ready([]), because: "it is not so")
    let subject = Subject.builtIn[0].declaring([declared])
    #expect(try !ReadinessMatrix.cell(state, .write, on: subject).isAsWanted)
  }
}
