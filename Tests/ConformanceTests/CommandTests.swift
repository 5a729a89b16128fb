#if ConformanceCommand
  import Foundation
  import HawtConformance
  import Testing

  /// What the command refuses: an option that had no effect would be believed to have had one.
  @Suite struct CommandTests {
    /// A command line, and what the refusal must name.
    struct Refused: Sendable, CustomTestStringConvertible {
      let line: String
      let names: String
      var testDescription: String { line }

      init(_ line: String, _ names: String) { (self.line, self.names) = (line, names) }
    }

    private static let one = Subject.builtIn[0].name

    static let refused = [
      Refused("--backend=", "--backend"),
      Refused("--backend \(one),", "--backend"),
      Refused("--backend \(one),\(one)", "'\(one)' twice"),
      Refused("--backend nobody", "'nobody'"),
      Refused("--rule=", "--rule"),
      Refused("--rule B3,,B4", "--rule"),
      Refused("--rule Q99,B3", "'Q99'"),
      Refused("--rule B3,b3", "'b3' twice"),
      Refused("--repeat 0", "--repeat"),
      Refused("--repeat 9223372036854775807", "--repeat"),
      Refused("--scale 0", "--scale"),
      Refused("--scale nan", "--scale"),
      Refused("--scale 1e300", "--scale"),
      Refused("--patience 0", "--patience"),
      Refused("--patience 9999999999", "--patience"),
      Refused("--patience 9999999999 --compare", "--patience"),
      Refused("--trace /tmp/never-written", "--trace"),
      Refused("--histories 5", "--histories"),
      Refused("--pace lockstep", "--pace"),
      Refused("--compare --rule B3", "--rule"),
      Refused("--compare --repeat 2", "--repeat"),
      Refused("--compare --scale 1", "--scale"),
      Refused("--compare --fail-fast", "--fail-fast"),
      Refused("--compare --format tap", "tap"),
      Refused("--compare --histories 0", "--histories"),
      Refused("--compare --trace /nowhere/at/all", "--trace"),
      Refused("--replay lockstep/1 --seed 3", "--seed"),
      Refused("--replay lockstep/1 --pace racing", "--pace"),
      Refused("--replay lockstep/1 --histories 3", "--histories"),
      Refused("--replay slowly/1", "'slowly/1'"),
      Refused("--matrix --rule B3", "--rule"),
      Refused("--matrix --format junit", "junit"),
      Refused("--list --backend \(one)", "--backend"),
      Refused("--list --seed 1", "--seed"),
      Refused("--list --format junit", "junit"),
      Refused("--list --matrix", "--matrix"),
      Refused("--compare --replay lockstep/1", "--replay"),
      Refused("--no-such-option", "--no-such-option"),
      Refused("B3", "'B3'"),
      Refused("--seed", "--seed"),
      Refused("--seed --list", "--seed"),
      Refused("--seed many", "'many'"),
      Refused("--seed -1", "--seed"),
      Refused("--format yaml", "'text', 'tap', 'json' or 'junit'"),
      Refused("--list=yes", "--list"),
    ]

    @Test(arguments: refused) func refusesWithExitCodeThree(_ refused: Refused) throws {
      let run = try CommandRun.of("hawt-conformance", refused.line.split(separator: " ").map(String.init))
      #expect(run.code == 3, "\(run)")
      // What reads the output reads no error.
      #expect(run.errors.contains("Error: ") && run.errors.contains(refused.names) && run.output.isEmpty, "\(run)")
    }

    /// What the system refuses is no wrong usage, and what cannot be written is not passed over.
    @Test(arguments: [
      ("ulimit -n 12; exec", "--compare --histories 2", "EMFILE"),
      ("exec", "--compare --histories 2 --trace /dev/full", "cannot be written"),
      ("exec", "--list >/dev/full", "cannot be written"),
    ])
    func whatCannotBeDoneEndsWithExitCodeFour(_ before: String, _ options: String, _ says: String) throws {
      let run = try CommandRun.ofShell("\(before) \(try CommandRun.path("hawt-conformance")) \(options)")
      #expect(run.code == 4 && run.errors.contains("Error: ") && run.errors.contains(says), "\(run)")
    }

    @Test(arguments: ["--help", "-h"]) func helpNamesEveryOption(_ word: String) throws {
      let run = try CommandRun.of("hawt-conformance", ["--list", word])
      #expect(run.code == 0, "\(run)")
      for option in ["--backend <backend>", "--fail-fast ", "--format <format>", "--pace <pace>", "--replay <replay>"] {
        #expect(run.text.contains("  " + option), "\(run)")
      }
    }

    @Test func theListSaysWhyAndWhere() throws {
      let run = try CommandRun.of("hawt-conformance", ["--list", "--rule", "b*"])
      #expect(run.code == 0, "\(run)")
      for rule in Catalogue.rules(matching: "B*") {
        for text in [
          "\(rule.id)  \(rule.level.rawValue)  \(rule.title)", rule.why, rule.whereToLook.joined(separator: ", "),
        ] {
          #expect(run.text.contains(text), "\(rule.id) lacks '\(text)'")
        }
      }
    }

    @Test func theListIsThereForPrograms() throws {
      let run = try CommandRun.of("hawt-conformance", ["--list", "--format", "json"])
      #expect(run.code == 0, "\(run)")
      let document = try #require(try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
      #expect(document["version"] as? Int == 1)
      let rules = try #require(document["rules"] as? [[String: Any]])
      #expect(rules.map { $0["id"] as? String } == Catalogue.rules.map(\.id))
      for rule in rules {
        #expect((rule["why"] as? String)?.isEmpty == false && (rule["checks"] as? [String])?.isEmpty == false)
      }
    }

    /// What a failure prints is run as it stands, by a shell.
    @Test(
      arguments: [
        ("--backend lazy-add --rule B4 --fail-fast --scale 0.1", Int32(1)),
        ("--backend no-flaw,edge-triggered --compare --pace lockstep --seed 9", 2),
      ])
    func aPrintedReplayFailsAgain(_ line: String, _ code: Int32) throws {
      let words = (line + " --patience 1").split(separator: " ").map(String.init)
      let run = try CommandRun.of("hawt-conformance-broken", words)
      #expect(run.code == code, "\(run)")
      let found = try #require(run.text.firstMatch(of: /replay: +(.*)/)).output.1
      #expect(found.contains("hawt-conformance-broken --backend \(words[1]) "))
      let again = try CommandRun.ofShell(String(found))
      #expect(again.code == code, "\(found): \(again)")
    }

    @Test func aComparisonIsThereForPrograms() throws {
      let arguments = ["--compare", "--histories", "6", "--seed", "9", "--pace", "lockstep", "--format", "json"]
      for (command, code, backends) in [
        ("hawt-conformance", Int32(0), Self.one), ("hawt-conformance-broken", 2, "no-flaw,edge-triggered"),
      ] {
        let run = try CommandRun.of(command, arguments + ["--backend", backends, "--patience", "1"])
        #expect(run.code == code, "\(run)")
        let document = try #require(try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
        #expect(document["seed"] as? Int == 9)
        #expect(document["conforms"] as? Bool == (code == 0))
        let finding = document["finding"] as? [String: Any]
        #expect(finding?["kind"] as? String == (code == 0 ? nil : "differs"))
        #expect(code == 0 || (finding?["history"] as? String)?.hasPrefix("lockstep/") == true)
      }
    }
  }
#endif
