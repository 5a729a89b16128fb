import HawtDispatch
import Support

func foreignFresh(producers: Int) -> Int {
  let counter = Counter()
  let operations = produce(producers) { count in
    for _ in 0..<count { serial.async { counter.add() } }
  }
  settle(serial)
  return operations
}

func foreignReused(producers: Int) -> Int {
  let counter = Counter()
  let item = WorkItem { counter.add() }
  let operations = produce(producers) { count in
    for _ in 0..<count { serial.async(item) }
  }
  settle(serial)
  return operations
}
