/*
 * Shutdown against submit, against threads that are held by a task, and the start that follows.
 * Implemented in Sources/HawtDispatch/Dispatcher/Shutdown.swift, with Workers/Custody.swift and Queues/SerialCore.swift (takeAll); the closed
 * bit is in the tail word of ChunkList.swift (chunks.pml).
 *
 *   Close     the closed bit, on each list. The fetch_add that reserves tells an outsider whether it came before; if not, VOID is put into its slot,
 *             which is to be consumed too: poke. A running task is no outsider, but on a thread that was left behind it is.
 *   Drained   no deadline: each worker sleeps, each list is empty (no slot reserved either) and not run, each worker sleeps still, and none began another
 *             round between two looks at the counts of rounds: one that wakes runs in the round that it slept in. Else wait until a worker goes to sleep,
 *             and look again.
 *   Leave     each worker is told to leave, and takes no entry any more (custody): it leaves when it is between two. At the deadline: one that is held by a
 *             task is abandoned, and what it submits comes from outside. Nor does it look at a list: whose time is over asks under custody for what is left.
 *   Discard   then the coordinator is the consumer of each list, also of one whose runner was abandoned; what is published is discarded and counted. Each
 *             list: not scheduled, a new epoch; something came meanwhile: schedule.
 *   Start     opens the lists; a new worker takes the place of one that was abandoned. A queue that an abandoned thread is still in, and that has been
 *             scheduled since, is handed on by it.
 *
 * Memory ordering. The tail word's RMWs are totally ordered: what fetched a tail without the bit is seen by every look after it was set. Sleep, rounds:
 * sequentially consistent. Custody: the barrier of who has it leave, in every thread.
 *
 * Checked: each submission is run, refused, or discarded and reported, exactly one; without deadline nothing is discarded and nothing refused from inside; the
 * number reported is that of the tasks discarded, and none of them runs; what is submitted after the start runs.
 *
 *
 * MUTANTS: 6
 *   1 a VOID is published without a poke: the list is never empty, the shutdown hangs
 *   2 drained is asked of the workers' sleep alone, once each: stopped while one that was looked at has woken and runs
 *   3 a thread looks whether it has to leave, and then takes an entry: two consumers
 *   4 what waits behind an abandoned runner is counted by the list's depth: refused submissions are reported as discarded
 *   5 drained is asked of the workers' sleep only before the lists: one that woke since has moved a task to a list that was looked at
 *   6 whose time is over looks for what is left beside custody: abandoned meanwhile, it reads what the shutdown has given back
 * CASES: 3
 *   1 no deadline, two queues and two workers, a task that submits to the other queue; 2 a deadline, a queue, a worker that may be held, and a start;
 *   3 as 1, the queues looked at in the other order
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef CASE
#define CASE 1
#endif
#if CASE == 2
#define Q 1
#else
#define Q 2
#endif
#if CASE == 3
#define FIRST 1
#define SECOND 0
#else
#define FIRST 0
#define SECOND (Q - 1)
#endif
#define W 2
#define S 4
#define T 4
#define EMPTY 0
#define WAITING 1
#define VOID 2
#define TASK 3                                   /* and above */

typedef Queue { byte tail, head, slot[S]; bool closed, SCHED, RUN, POKED; byte epoch };
Queue q[Q];
chan entries = [5] of { byte, byte };            /* (queue, epoch): what any worker may take */
bool leaving[W], abandoned[W], ended[W], sleeping[W], away[W];
byte rounds[W];
byte ran[T], refused[T], discarded[T], reported;
bool shut, started, raised;

inline tell(x, poked) {
  atomic {
    if
    :: !q[x].SCHED ->
       q[x].SCHED = true;
       if :: !q[x].RUN -> entries!x,q[x].epoch :: else fi        /* else by a thread that was left behind, which hands it on */
    :: q[x].SCHED && q[x].RUN && (poked) -> q[x].POKED = true
    :: else
    fi
  }
}
inline submit(x, n, outside) {
  atomic { i = q[x].tail; q[x].tail++; refuse = q[x].closed && (outside); assert(i < S) };
  atomic {
    old = q[x].slot[i];
    if :: refuse -> q[x].slot[i] = VOID; refused[n]++ :: else -> q[x].slot[i] = TASK + n fi
  };
#if MUTANT == 1
  if :: refuse -> skip :: else -> tell(x, old == WAITING) fi;
#else
  tell(x, refuse || old == WAITING);
#endif
  atomic { i = 0; old = 0; refuse = false }
}

proctype Outside(byte x; byte n) {
  byte i, old; bool refuse;
  submit(x, n, true)
}

proctype Worker(byte me) {
  byte x, e, i, old, n; bool refuse;
next:
  rounds[me]++;
  away[me] = false;
  sleeping[me] = true;
  if :: len(entries) == 0 && !leaving[me] -> raised = true :: else fi;
end:
  atomic { len(entries) > 0 || leaving[me]; sleeping[me] = false };
  atomic {
    if
    :: leaving[me] -> ended[me] = true; goto done
    :: !leaving[me] && len(entries) == 0 -> goto next
    :: else ->
       entries?x,e;
       if :: q[x].SCHED && !q[x].RUN && q[x].epoch == e -> q[x].RUN = true; away[me] = true :: else -> x = 0; e = 0; goto next fi
    fi;
    e = 0
  };
drain:
#if CASE == 2
  /* the end of its time: is anything left? */
  if
  :: atomic {
       true;
#if MUTANT != 6
       if :: leaving[me] -> goto unfinished :: else fi;
#endif
       assert(!abandoned[me]);
       if
       :: q[x].head < S && q[x].slot[q[x].head] >= VOID ->
          q[x].RUN = false; q[x].POKED = false; away[me] = false;
          entries!x,q[x].epoch;
          x = 0;
          goto next
       :: else -> goto settle
       fi
     }
  :: true
  fi;
#endif
#if MUTANT == 3
  if :: leaving[me] -> goto unfinished :: else fi;
#endif
  atomic {
#if MUTANT != 3
    if :: leaving[me] -> goto unfinished :: else fi;
#endif
    old = EMPTY;
    if :: q[x].head < S -> old = q[x].slot[q[x].head] :: else fi;
    if :: old >= VOID -> q[x].head++; assert(!leaving[me]) :: else -> old = 0; goto settle fi;
    if :: old >= TASK -> n = old - TASK; ran[n]++; assert(ran[n] + discarded[n] == 1) :: else -> old = 0; goto drain fi;
    old = 0
  };
  /* the task; it may be held here for as long as it likes */
  if
  :: n == 0 -> submit(SECOND, 1, abandoned[me])
  :: else
  fi;
  n = 0;
  goto drain;
settle:
  if
  :: q[x].head < q[x].tail ->
     atomic {
       if :: q[x].slot[q[x].head] == EMPTY -> q[x].slot[q[x].head] = WAITING :: q[x].slot[q[x].head] >= VOID -> goto drain :: else fi
     }
  :: else
  fi;
  n = q[x].head;
  atomic { if :: q[x].POKED -> q[x].POKED = false; n = 0; goto drain :: else -> q[x].SCHED = false; q[x].RUN = false fi };
  if :: n < S && q[x].slot[n] >= VOID -> n = 0; tell(x, false) :: else -> n = 0 fi;
  x = 0;
  goto next;
unfinished:
  atomic {
    q[x].RUN = false; q[x].POKED = false;
    if :: q[x].SCHED -> entries!x,q[x].epoch :: else fi;
    if :: !abandoned[me] -> away[me] = false; ended[me] = true :: else fi
  };
done:
  skip
}

inline isDrained() {
  /* two looks at the rounds, and between them one at everything else, one after the other */
  quiet = true;
  b0 = rounds[0]; b1 = rounds[1];
  if :: !sleeping[0] -> quiet = false :: else fi;
  if :: !sleeping[1] -> quiet = false :: else fi;
#if MUTANT != 2
  if :: len(entries) > 0 -> quiet = false :: else fi;
  x = 0;
  do
  :: x < Q -> atomic { if :: q[x].head != q[x].tail || q[x].RUN -> quiet = false :: else fi; x++ }
  :: x == Q -> break
  od;
  x = 0;
#endif
#if MUTANT != 2 && MUTANT != 5
  if :: !sleeping[0] -> quiet = false :: else fi;
  if :: !sleeping[1] -> quiet = false :: else fi;
#endif
#if MUTANT != 2
  if :: rounds[0] != b0 -> quiet = false :: else fi;
  if :: rounds[1] != b1 -> quiet = false :: else fi;
#endif
  atomic { b0 = 0; b1 = 0 }
}

proctype Shutdown() {
  byte x, b0, b1, old, w, i; bool quiet, refuse;
  q[0].closed = true;
#if CASE != 2
  q[1].closed = true;
  do
  :: raised = false;
     isDrained();
     if :: quiet -> break :: else fi;
     raised                                      /* by a worker that goes to sleep */
  od;
#endif
  atomic { leaving[0] = true; leaving[1] = true };
  do
  :: w < W -> atomic { ended[w] || (CASE == 2 && away[w]); if :: !ended[w] -> abandoned[w] = true :: else fi; w++ }
  :: w == W -> break
  od;
  w = 0;
  /* entries in the shared queues are discarded */
  atomic { do :: len(entries) > 0 -> entries?_,_ :: len(entries) == 0 -> break od };
  x = 0;
  do
  :: x < Q ->
#if MUTANT == 4
     if :: q[x].RUN -> reported = reported + q[x].tail - q[x].head :: else fi;
#endif
     do
     :: atomic {
          old = EMPTY;
          if :: q[x].head < S -> old = q[x].slot[q[x].head] :: else fi;
          if :: old >= VOID -> q[x].head++ :: else -> break fi;
          if
          :: old >= TASK ->
             discarded[old - TASK]++; assert(ran[old - TASK] + discarded[old - TASK] == 1);
#if MUTANT == 4
             if :: !q[x].RUN -> reported++ :: else fi
#else
             reported++
#endif
          :: else
          fi;
          old = 0
        }
     od;
     old = 0;
     atomic { q[x].SCHED = false; q[x].POKED = false; q[x].epoch++ };
     if :: q[x].head < S && q[x].slot[q[x].head] >= VOID -> tell(x, false) :: else fi;
     x++
  :: x == Q -> break
  od;
  assert(reported == discarded[0] + discarded[1] + discarded[2]);
  shut = true;
#if CASE == 2
  /* start: a fresh worker */
  q[0].closed = false;
  atomic { leaving[1] = false; ended[1] = false; run Worker(1) };
  submit(0, 3, true);
  started = true
#endif
}

init {
  atomic {
    run Worker(0);
#if CASE != 2
    run Worker(1); run Outside(FIRST, 0);
#else
    ended[1] = true; run Outside(0, 0); run Outside(0, 2);
#endif
    run Shutdown()
  }
  timeout;
  assert(shut);
  assert(ran[0] + refused[0] + discarded[0] == 1);
  assert(ran[1] + refused[1] + discarded[1] == ran[0]);
#if CASE != 2
  assert(reported == 0 && refused[1] == 0)
#else
  assert(ran[2] + refused[2] + discarded[2] == 1);
  assert(started && ran[3] == 1)
#endif
}
