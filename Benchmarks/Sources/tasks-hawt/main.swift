import HawtDispatch
import Support

// The task workloads on this library: tasks-hawt WORKLOAD [--backend epoll|libevent]

let dispatcher = try Dispatcher(
  configuration: .init(
    name: "tasks", workers: 2, backend: option("backend", "epoll") == "libevent" ? .libevent : .epoll))

runNamedWorkload([
  "W1": { Chain.all { repost($0, on: dispatcher.global()) } },
  "W2.fresh": { Chain.all { repost($0, on: serial) } },
  "W2.reused": reusedChains,
  "W3.p1.fresh": { foreignFresh(producers: 1) },
  "W3.p1.reused": { foreignReused(producers: 1) },
  "W3.p2.fresh": { foreignFresh(producers: 2) },
  "W3.p2.reused": { foreignReused(producers: 2) },
  "W4.pooled.fresh": { Chain.one(200_000) { hop($0, pooled.0, pooled.1) } },
  "W4.pooled.reused": { hopReused(200_000, pooled.0, pooled.1) },
  "W4.threads.fresh": { Chain.one(50_000) { hop($0, pinned.0, pinned.1) } },
  "W4.threads.reused": { hopReused(50_000, pinned.0, pinned.1) },
  "W5": manyQueues,
  "W9": retargetLive,
  "W9.asleep": retargetAsleep,
  "idle": idleQueues,
  "memory": memoryOfIdle,
  "priority": latencyOfLowPriority,
])
