/*
 * A serial queue's state word: schedule, run, retarget, suspend, resume.
 * Implemented in Sources/HawtDispatch/Queues/SerialCore.swift and SerialState.swift (the list itself: chunks.pml, ChunkList.swift; what a
 * shutdown adds to the word: shutdown.pml).
 *
 * The state word: SCHED (somebody is responsible: an entry in the target, a runner, or a suspension that holds
 * it), QUEUED (an entry of the present epoch stands in the target), RUN (by which worker), AGAIN, suspend count, epoch. An `atomic` block that touches these variables is ONE
 * read-modify-write of that word, or one load where nothing is written.
 *
 *            publish, resume to 0 (push)               pop a valid entry
 *   IDLE ---------------------------> SCHED ------------------------------> SCHED|RUN(w)
 *     ^                                 ^  retarget: epoch+1, push again        | |
 *     |                                 +---------------------------------------+ |
 *     |                 boundary: epoch or suspension changed; push if not suspended
 *     +---------------------------------------------------------------------------+
 *                 list empty, or its head reserved but not published
 *
 *   Producer  reserve; exchange FULL into the slot; then look at the state: not SCHED -> set it, push (q, epoch).
 *             SCHED: nothing more - but if the exchange gave WAITING and RUN is set: set AGAIN, for the runner may
 *             have marked the slot and not yet left.
 *   Own post  a running task to its own queue: reserve; store FULL; no look at the state: the runner is here, and looks at the list again.
 *   Runner    takes an entry only if SCHED, not RUN, not suspended, epoch equal; QUEUED is cleared then, and also if suspension
 *             is all that is in the way. Before EACH task, the first too, it looks at its
 *             interrupt word: exchange it for 0, THEN read the state. Leaving for a slot that is not published: mark
 *             it WAITING while RUN is still set, then clear SCHED|RUN - unless AGAIN, then clear that and go on. After
 *             RUN is cleared, no chunk may be touched: another runner may have recycled it. Leaving an
 *             empty list: clear SCHED|RUN, then read tail again and act as a producer if it moved.
 *   Retarget  (under the topology lock) target := new, THEN epoch+1; RUN -> set that worker's interrupt word;
 *             else SCHED and not suspended -> push (q, new epoch) to the target.
 *   Suspend   count+1; RUN -> set that worker's interrupt word. Resume to 0: if SCHED, not RUN and not QUEUED: push. So a queue that is
 *             suspended and resumed again and again has one entry in its target.
 *   Pushers   read the target after the RMW that gave them the epoch of the entry.
 *   Coming    a queue that was ever retargeted has a bit for each thread queue: an entry of it stands there. Push: exchange 1 for
 *   back      the bit; it was set -> no second entry. Pop: clear the bit, THEN read the state; an entry of another epoch counts as
 *             one of the present epoch if, under the topology lock, this thread queue is the target. So what a queue leaves
 *             at a stuck worker is one entry, and one more from before its first retarget.
 *
 * A task "starts" when its runner's last look at the interrupt word finds it 0. No look can come later than the user's code,
 * so one task may be seen to begin on the old thread just after setTarget returned: it counts as the running one.
 *
 * Memory ordering. Sequentially consistent, because Dekker: (slot exchange; state load) of the producer against
 * (state RMW that clears; tail load) of a runner that leaves empty - the reservation is before the exchange. All other
 * state RMWs acquire and release: the end of a task happens before the start of the next through them. target is
 * stored with release before the epoch RMW (release) and loaded with acquire after the pusher's RMW (acquire): whoever
 * has epoch n reads a target at least as new as n's. interrupt: stored with release after the RMW,
 * exchanged with acquire before the state is loaded.
 *
 * Checked: nobody runs beside another; order; exactly once; after retarget returned tasks start on the new target
 * only, after suspend returned none; at the end all have run; no livelock (the state graph has no cycle).
 *
 * MUTANTS: 12
 *   1 no AGAIN bit: the late producer finds SCHED still set, the runner then leaves: task lost
 *   2 retarget raises the epoch before it publishes the target: a task starts on the old worker
 *   3 a pusher reads the target before its RMW: the same
 *   4 the interrupt word is cleared after the state was read: an interrupt is lost
 *   5 no look at the interrupt word before an entry's first task: it starts after retarget or suspend returned
 *   6 an empty list is left without reading tail again: task lost
 *   7 the runner's leave keeps SCHED for the late producer, who then pushes: an entry meets RUN and is void, task lost
 *   8 a thread that is not the runner posts as if it were: it looks at no state: task lost
 *   9 a suspended queue's entry is dropped, and QUEUED kept: the resume pushes nothing: task lost
 *  10 the bit is cleared after the state was read: the entry that was not pushed is missed, task lost
 *  11 an entry of another epoch is always void: the same
 *  12 target and epoch are read without the lock: a task starts at the old target
 * CASES: 5
 *   1 two producers, a retarget; 2 two producers, a suspension; 3 one producer, two retargets beside a suspension;
 *   4 one producer, a task that posts to its own queue, a retarget; 5 one producer, two retargets
 * CYCLES: none
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef CASE
#define CASE 1
#endif
#if CASE == 3 || CASE == 5
#define N 2
#else
#define N 3
#endif
#define EMPTY 0
#define WAITING 1
#define FULL 2
#define ANY 2

bool SCHED, QUEUED, AGAIN; byte RUN, SUSP, EPOCH;        /* the state word */
byte target;
byte tail, head, slot[N];                        /* the list, without its chunks */
bool intr[2];
bool moved, lock, stands[2];                     /* was ever retargeted; the topology lock; an entry stands in worker's list */
#if CASE == 2
#define PAIRS 2
chan inbox[2] = [1] of { byte };                 /* entries (q, epoch) per worker: one, however often it is suspended */
#else
#define PAIRS 1
chan inbox[2] = [2] of { byte };                 /* the one from before the first retarget, and one, however often it is retargeted */
#endif

byte running, ran, must = ANY; bool held;        /* what is checked */
byte owner[N], seq[N], lastSeq[3];
byte own = (CASE == 4 -> 1 : 0);                 /* posts that a task will make to its own queue: of owner 2 */

inline push(t, e) {
  if
  :: !moved -> assert(nfull(inbox[t])); inbox[t]!e
  :: moved ->
     atomic { skips = stands[t]; stands[t] = true };
     if :: !skips -> assert(nfull(inbox[t])); inbox[t]!e :: else fi;
     skips = false
  fi
}
/* reading the target and pushing are two steps; where much else goes on, one, or the search would not end */
#if CASE >= 4
inline reach(t, e) { t = target; push(t, e) }
#else
inline reach(t, e) { atomic { t = target; push(t, e) } }
#endif

/* after a publish, or after leaving an empty list to which something has come */
inline schedule(sawWaiting) {
#if MUTANT == 3
  t = target;
#endif
  atomic {
    pushing = false;
    if
    :: !SCHED -> SCHED = true; e = EPOCH; pushing = (SUSP == 0); QUEUED = pushing
    :: SCHED && RUN != 0 && sawWaiting ->
#if MUTANT == 7
       e = EPOCH; pushing = (SUSP == 0)
#elif MUTANT != 1
       AGAIN = true
#else
       skip
#endif
    :: else ->
#if MUTANT == 7
       if :: sawWaiting -> e = EPOCH; pushing = (SUSP == 0) :: else fi
#else
       skip
#endif
    fi
  }
  if
  :: pushing ->
#if MUTANT != 3
     reach(t, e)
#else
     push(t, e)
#endif
  :: else
  fi;
  atomic { e = 0; t = 0; pushing = false }       /* forget: fewer states */
}

inline begin() {                                 /* the next task starts on worker w */
  assert(must == ANY || must == w); assert(!held);
  running++; assert(running == 1);
  assert(seq[head] == lastSeq[owner[head]] + 1); lastSeq[owner[head]]++
}

proctype Producer(byte me; byte count) {
  byte i, old, e, t, k; bool pushing, skips;
  do
  :: k < count ->
     atomic { i = tail; tail++; owner[i] = me; k++; seq[i] = k }       /* reserve */
     atomic { old = slot[i]; slot[i] = FULL }                          /* publish */
#if MUTANT != 8
     schedule(old == WAITING);
#endif
     old = 0
  :: else -> break
  od
}

proctype Worker(byte w) {
  byte e, mine, t, h; bool got, pushing, skips;
end:
  inbox[w]?mine;
#if MUTANT != 10
  if :: moved -> stands[w] = false :: else fi;
#endif
  if
  :: EPOCH != mine ->                              /* void, unless the queue has come back */
#if MUTANT == 11
     atomic { mine = 0; goto end }
#elif MUTANT == 12
     got = (target == w);
     e = EPOCH;
#else
     atomic { !lock; got = (target == w); e = EPOCH };
#endif
     if :: got -> atomic { mine = e; e = 0; got = false } :: else -> atomic { mine = 0; e = 0; goto end } fi
  :: else
  fi;
  atomic {
    got = SCHED && RUN == 0 && SUSP == 0 && EPOCH == mine;
    if
    :: got -> assert(QUEUED); RUN = w + 1; QUEUED = false
#if MUTANT != 9
    :: !got && RUN == 0 && EPOCH == mine -> QUEUED = false
#endif
    :: else
    fi
  }
#if MUTANT == 10
  if :: moved -> stands[w] = false :: else fi;
#endif
  if :: !got -> atomic { mine = 0; goto end } :: else fi;
#if MUTANT == 5
  if :: head < N && slot[head] == FULL -> atomic { begin() } goto started :: else fi;
#endif
next:
  if :: head < N && slot[head] == FULL -> skip
     :: else -> goto nothing
  fi;
  /* the last look at the interrupt word is the start of the task */
#if MUTANT == 4
  atomic { got = intr[w]; if :: !got -> begin() :: else fi }
  if :: !got -> goto started :: else fi;
  got = (EPOCH == mine && SUSP == 0);
  intr[w] = false;
#else
  atomic { got = intr[w]; if :: got -> intr[w] = false :: else -> begin() fi }
  if :: !got -> goto started :: else fi;
  got = (EPOCH == mine && SUSP == 0);
#endif
  if :: got -> goto next :: else fi;
  /* unwind: SCHED stays; a CAS, so look again */
  atomic {
    if :: EPOCH == mine && SUSP == 0 -> goto next :: else fi;
    RUN = 0; AGAIN = false; e = EPOCH; pushing = (SUSP == 0); QUEUED = pushing
  }
  if :: pushing -> reach(t, e) :: else fi;
  atomic { e = 0; t = 0; mine = 0; pushing = false; goto end };
started:
  if
  :: own > 0 ->
     atomic { own--; h = tail; tail++; owner[h] = 2; seq[h] = 1 };
     atomic { assert(slot[h] == EMPTY); slot[h] = FULL; h = 0 }
  :: else
  fi;
  atomic { running--; ran++; head++ }                                  /* the task runs, and ends */
  goto next;
nothing:
  h = head;
  if :: tail == h -> goto drained :: else fi;
  /* reserved, not published */
  atomic { if :: slot[h] == EMPTY -> slot[h] = WAITING :: slot[h] == WAITING :: slot[h] == FULL -> goto next fi }
#if MUTANT == 7
  atomic { RUN = 0 }
#else
  atomic { if :: AGAIN -> AGAIN = false; goto next :: else -> SCHED = false; RUN = 0 fi }
#endif
  atomic { mine = 0; h = 0; got = false; goto end };
drained:
  atomic { SCHED = false; RUN = 0; AGAIN = false }
#if MUTANT != 6
  if :: tail != h -> schedule(false) :: else fi;
#endif
  atomic { mine = 0; h = 0; got = false; goto end }
}

proctype Retargeter(byte n) {
  byte e, r, to = 1; bool pushing, skips;
  do
  :: n > 0 ->
     atomic { must = ANY; lock = true };
#if MUTANT != 2
     target = to;
#endif
     moved = true;
     atomic { EPOCH++; e = EPOCH; r = RUN; pushing = SCHED && RUN == 0 && SUSP == 0; QUEUED = pushing }
#if MUTANT == 2
     target = to;
#endif
     if
     :: r != 0 -> intr[r - 1] = true
     :: r == 0 && pushing -> push(to, e)
     :: else
     fi;
     atomic { lock = false; must = to; to = 1 - to; n-- }
  :: else -> break
  od
}

proctype Suspender() {
  byte e, r, t, n; bool pushing, skips;
  do
  :: n < PAIRS ->
     atomic { SUSP++; r = RUN; n++ }
     if :: r != 0 -> intr[r - 1] = true :: else fi;
     held = true;
     held = false;
     atomic {
       SUSP--;
       pushing = (SUSP == 0 && SCHED && RUN == 0 && !QUEUED);
       if :: pushing -> QUEUED = true; e = EPOCH :: else fi
     }
     if :: pushing -> reach(t, e) :: else fi;
     atomic { e = 0; r = 0; t = 0; pushing = false }
  :: else -> break
  od
}

init {
  atomic {
#if CASE == 1
    run Producer(0, 2); run Producer(1, 1); run Retargeter(1);
#elif CASE == 2
    run Producer(0, 2); run Producer(1, 1); run Suspender();
#elif CASE == 4
    run Producer(0, 2); run Retargeter(1);
#elif CASE == 5
    run Producer(0, 2); run Retargeter(2);
#else
    run Producer(0, 2); run Retargeter(2); run Suspender();
#endif
    run Worker(0); run Worker(1)
  }
  timeout;                                       /* nobody can do anything more */
  assert(ran == N && tail == N && head == N);
  assert(!SCHED && RUN == 0 && SUSP == 0 && len(inbox[0]) == 0 && len(inbox[1]) == 0)
}
