/*
 * How a worker falls asleep and is woken, and how searchers are held back. (Lease and mailbox: lease.pml; the alarm beside stuck workers: watch.pml.)
 * Implemented in Sources/HawtDispatch/Workers/WakePolicy.swift, called by Worker+Turn.swift.
 *
 *   sleep word       AWAKE --worker: no work--> SLEEPING --waker: CAS--> NOTIFIED or NOTIFIED_SEARCH
 *                      ^------- worker: exchange AWAKE, when it goes on or has woken ------'
 *   Whoever's CAS leaves SLEEPING writes the eventfd, once. NOTIFIED_SEARCH hands over a count of `searchers`: the worker learns
 *   of it by the exchange, never by a store, on whichever way it leaves.
 *
 *   Pinned submit    push to that worker's inbox; then SLEEPING -> NOTIFIED, write.
 *   Unpinned submit  push to the injection queue; then notify.
 *   Notify           loop: searchers not 0: return; no worker SLEEPING: return; CAS searchers 0 -> 1; find a worker
 *                    whose CAS SLEEPING -> NOTIFIED_SEARCH succeeds: write, return. None: searchers -1, and if there is work still,
 *                    LOOP: a submitter may have come meanwhile and gone because of our count.
 *   Worker           takes work from inbox or injection queue; a searcher that found some gives up its count. Then, EVERY time before
 *                    it runs user code, searcher or not, pinned work or not: if the injection queue is not empty: notify (which
 *                    returns at once if there is a searcher, or nobody sleeps).
 *                    None found: a searcher gives up its count; SLEEPING; looks again at inbox and injection queue; something:
 *                    exchange AWAKE and on; nothing: wait for the eventfd; read it; exchange AWAKE.
 *   An eventfd write may come late, in a later sleep: that ends it early, which is harmless.
 *
 * A task may never return (Q13): each worker's but one may take a task here and be gone. What is unpinned then must reach
 * the other: hence the two words in capitals.
 *
 * Memory ordering: all of it is Dekker, so sequentially consistent: (push; load sleep / load searchers) of the submitter
 * against (sleep := SLEEPING / searchers -1; load of the queues) of the worker. The idle bits that find a sleeper fast follow the same order:
 * set after SLEEPING, before the look; they stand for "SLEEPING" here. The queues' own publication is release and acquire.
 *
 * Checked: at the end no work is left, but pinned to, or with all, stuck workers; one eventfd write at most per announced sleep; searchers
 * counts right and is 0; no livelock.
 *
 * MUTANTS: 7
 *   1 the worker looks at the queues before it announces its sleep: lost
 *   2 a notifier that found no sleeper does not look again: lost beside a stuck worker
 *   3 who finds work in the second look does not notify: the same
 *   4 AWAKE is stored, not exchanged: the count of a searcher is never given up, nobody is woken again
 *   5 the waker stores NOTIFIED and writes without a CAS: two writes for one sleep
 *   6 a searcher that finds work keeps its count while it runs the task
 *   7 who takes pinned work and is no searcher does not look at the injection queue: what it had seen in its second look is lost
 * CASES: 3
 *   1 two submitters of unpinned work, a worker may be stuck; 2 pinned beside unpinned; 3 three workers
 * CYCLES: none
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef CASE
#define CASE 1
#endif
#if CASE == 3
#define W 3
#else
#define W 2
#endif
#define AWAKE 0
#define SLEEPING 1
#define NOTIFIED 2
#define NOTIFIED_SEARCH 3

byte sleep[W], eventfd[W], inbox[W];
byte injection, searchers;
byte mayStick = W - 1; bool stuck[W];
byte writes[W];                                  /* since the last announcement: CASes won */

inline wake(w, how, won) {                       /* one CAS */
#if MUTANT == 5
  won = (sleep[w] == SLEEPING);
  if :: won -> atomic { sleep[w] = how; writes[w]++; assert(writes[w] == 1) } :: else fi
#else
  atomic {
    won = (sleep[w] == SLEEPING);
    if :: won -> sleep[w] = how; writes[w]++; assert(writes[w] == 1) :: else fi
  }
#endif
}
inline notify() {
  do
  :: atomic { searchers != 0 -> break }
  :: else ->
     atomic {
       v = 0; do :: v < W && sleep[v] != SLEEPING -> v++ :: else -> break od;     /* one load of the idle bits */
       if :: v == W -> v = 0; break :: else fi
     };
     atomic { if :: searchers == 0 -> searchers = 1 :: else -> v = 0; break fi };
     v = 0; won = false;
     do
     :: v < W && !won -> wake(v, NOTIFIED_SEARCH, won); if :: !won -> v++ :: else fi
     :: else -> break
     od;
     if
     :: won -> atomic { eventfd[v]++; v = 0; won = false; break }
     :: else -> atomic { v = 0; assert(searchers > 0); searchers-- }
     fi;
#if MUTANT == 2
     break
#else
     if :: injection == 0 -> break :: else fi
#endif
  od
}

proctype Worker(byte me) {
  bool searching, won; byte v;
next:
  /* a round: own inbox, then the injection queue */
  atomic {
    if
    :: inbox[me] > 0 -> inbox[me]--; goto pinned
    :: else -> 
       if :: injection > 0 -> injection--; goto took :: else fi
    fi
  }
  if :: searching -> atomic { searching = false; assert(searchers > 0); searchers-- } :: else fi;
#if MUTANT == 1
  if :: inbox[me] > 0 || injection > 0 -> goto next :: else fi;
#endif
  atomic { sleep[me] = SLEEPING; writes[me] = 0 }
#if MUTANT != 1
  atomic {
    if
    :: inbox[me] > 0 || injection > 0 ->
       goto rise
    :: else
    fi
  }
#endif
end:
  atomic { eventfd[me] > 0 -> eventfd[me] = 0 }
rise:
  atomic {
#if MUTANT != 4
    searching = (sleep[me] == NOTIFIED_SEARCH);
#endif
    sleep[me] = AWAKE; writes[me] = 0
  }
#if MUTANT == 3
  /* the second look's find is taken without telling */
  atomic {
    if
    :: !searching && inbox[me] == 0 && injection > 0 -> injection--; goto running
    :: else
    fi
  }
#endif
  goto next;
pinned:
#if MUTANT == 7
  if :: !searching -> goto running :: else fi;
#endif
took:
#if MUTANT != 6
  if :: searching -> atomic { searching = false; assert(searchers > 0); searchers-- } :: else fi;
#endif
  if :: injection > 0 -> notify() :: else fi;
running:
  if
  :: atomic { mayStick > 0 -> mayStick--; stuck[me] = true; goto endgone }
  :: goto next
  fi;
endgone:
  false
}

proctype Unpinned(byte n) {
  bool won; byte v;
  do
  :: n > 0 -> injection++; notify(); n--
  :: else -> break
  od
}
proctype Pinned(byte to; byte n) {
  bool won;
  do
  :: n > 0 -> inbox[to]++; wake(to, NOTIFIED, won); if :: won -> atomic { eventfd[to]++; won = false } :: else fi; n--
  :: else -> break
  od
}

init {
  byte w;
  atomic {
    run Worker(0); run Worker(1);
#if CASE == 1
    run Unpinned(2); run Unpinned(1)
#elif CASE == 2
    run Unpinned(2); run Pinned(0, 1)
#else
    run Worker(2); run Unpinned(2)
#endif
  }
  timeout;
  assert(injection == 0 || stuck[0] && stuck[1] && stuck[W - 1]);
  atomic {
    do :: w < W -> assert(inbox[w] == 0 || stuck[w]); w++ :: else -> break od;
    assert(searchers == 0 || injection == 0)
  }
  assert(searchers == 0)
}
