import Foundation
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
    #expect(table.failures.isEmpty, "\(table.failures)")
    #expect(table.differences.isEmpty, "\(table.differences)")
    let lines = table.description.split(separator: "\n")
    for state in DescriptorState.all {
      #expect(lines.count { $0.hasPrefix(state.name + " ") } >= 1, "\(state) has no line")
    }
  }

  /// As many failures as there are wrong cells, and every cell by name.
  @Test func theReportNamesEachCell() async throws {
    let rule = Catalogue.rules(matching: "B1")[0]
    let names = DescriptorState.all.flatMap { state in
      ReadinessMatrix.interests.map { "\(state.name), asked for \($0): " }
    }
    let result = await verify(rule, on: Subject.builtIn[0])
    #expect(result.details.count == names.count)
    for (name, detail) in zip(names, result.details) { #expect(detail.hasPrefix(name)) }

    let wrong = DescriptorState.all.prefix(20).map { state in
      KnownDifference.row(state.name, is: .refused(99), because: "it is not so")
    }
    let failures = await verify(rule, on: Subject.builtIn[0].declaring(Array(wrong))).failures
    for state in DescriptorState.all.prefix(20) {
      #expect(failures.count { $0.contains("\(state.name), asked for ") } == 3, "\(state): \(failures)")
    }
  }

  #if ConformanceCommand
    @Test func theTableIsThereForPrograms() throws {
      let run = try CommandRun.of("hawt-conformance", ["--matrix", "--format", "json"])
      #expect(run.code == 0)
      let document = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
      #expect(document?["conforms"] as? Bool == true)
      let cells = try #require(document?["cells"] as? [[String: Any]])
      #expect(cells.count == DescriptorState.all.count * 3 * Subject.builtIn.count)
      #expect(cells[0]["state"] as? String == DescriptorState.all[0].name && cells[0]["outcome"] is String)
    }
  #endif

  @Test func aDifferenceThatIsDeclaredAndNotThereFails() throws {
    let state = try #require(DescriptorState.all.first { $0.name == "TCP: idle" })
    let declared = KnownDifference.row(state.name, is: .ready([]), because: "it is not so")
    let subject = Subject.builtIn[0].declaring([declared])
    #expect(try !ReadinessMatrix.cell(state, .write, on: subject).isAsWanted)
  }
}
