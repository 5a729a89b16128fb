/// How a verification is run.
public struct Options: Sendable {
  /// Where all randomness starts; a failure prints it, and the same seed gives the same choices.
  public var seed: UInt64
  /// How much work a check does, as a factor; nil: by the build (a debug or sanitized one does less).
  public var scale: Double?
  /// How long a check waits for an event before it calls it lost. Only a bound for failures, never a pause.
  public var patience: Duration
  /// Whether descriptors that are left over count as a failure. Only sound where nothing else in the process opens any.
  public var countsDescriptors: Bool
  /// Whether a rule's other checks are left out once one has failed: for backends that are expected to fail.
  public var stopsAtFailure = false
  /// What rules have to do without although the machine may have it, a child process in a sandbox say: those that need it
  /// are skipped.
  public var withheld: Set<Capability> = []
  /// The executable that runs scenarios (see `runScenarioIfAsked`): a path, or the name of one that lies beside the
  /// process's own executable or its test bundle; nil: this process itself, or one called `hawt-conformance`.
  public var scenarioExecutable: String?

  /// The command that a failure prints to have the same again; nil: the kit's own if it knows the backend, or else the
  /// executable of the scenarios.
  public var command: String?

  /// Every option may be left out.
  public init(
    seed: UInt64? = nil, scale: Double? = nil, patience: Duration = .seconds(60), countsDescriptors: Bool = false,
    scenarioExecutable: String? = nil
  ) {
    self.seed = seed ?? UInt64.random(in: 1...UInt64(UInt32.max))
    self.scale = scale
    self.patience = patience
    self.countsDescriptors = countsDescriptors
    self.scenarioExecutable = scenarioExecutable
  }

  /// The factor for this build.
  var effectiveScale: Double {
    if let scale { return scale }
    if Process.isThreadSanitized { return 0.05 }
    if Process.isAddressSanitized { return 0.1 }
    #if DEBUG
      return 0.2
    #else
      return 1
    #endif
  }
}
