/*
 * Shutdown against submit.
 * Implemented in Sources/HawtDispatch/Shutdown.swift; the bits are in the tail word of ChunkList.swift.
 *
 *   phase     OPEN -> CLOSING (CLOSED is being set on each queue) -> DRAINING -> STOPPED (quiet, or the deadline passed)
 *   tail word chunk, index, CLOSED (no submissions from outside), SEALED (none at all)
 *   slot      EMPTY / WAITING / task / VOID (refused) / TAKEN (swept before it was published)
 *
 *   Outside   load tail: CLOSED -> refused, nothing reserved. fetch_add: the value had CLOSED -> publish VOID, as any producer does
 *             (WAITING: reschedule), answer refused. Else publish: the exchange gave TAKEN -> answer refused; else accepted.
 *   Inside    a running task: the same with SEALED instead of CLOSED.
 *   Worker    idle is counted once in DRAINING, under the drain lock, and a worker that is counted takes work only after it
 *             has uncounted itself under the lock - or finds STOPPED there. Who counts itself last looks, under the lock, at every
 *             queue: all empty (tail = head, no slot reserved either) -> STOPPED.
 *             After each task, and after it left a queue: STOPPED -> sweep that queue instead of draining it.
 *   Shutdown  CLOSING; CLOSED on each queue; only THEN DRAINING; wait for STOPPED or the deadline (which sets STOPPED under the lock);
 *             SEALED on each queue; then sweep each. A queue that a stuck thread is running cannot be swept by others (head is its own): shutdown
 *             names the thread and the queue's depth, and the thread sweeps when it returns.
 *   Sweep     RUN by CAS, or leave it to who has it (who looks at phase after it left); exchange TAKEN into each reserved slot: task ->
 *             discarded, reported; EMPTY -> its producer will answer refused, and owns the slot till then: the chunk must not be given
 *             back before that; leave; tail moved -> again.
 *   A submitter between its load of tail and its fetch_add during all of that leaves a VOID behind in a stopped queue: no task, one
 *   slot per such thread at most; whoever runs the queue after a restart skips it.
 *
 * Memory ordering. The tail word's RMWs are totally ordered: what fetched a tail without CLOSED is seen by every look after CLOSED was set.
 * phase: under the drain lock; the load at the boundary is sequentially consistent (Dekker: RUN cleared; load phase - STOPPED; CAS RUN fails).
 * Slots: acquire and release, as in chunks.pml.
 *
 * Checked: each submission is run, refused, or discarded and reported, exactly one; after the stop no task is left, except
 * behind a thread that never returned; without stuck thread shutdown comes to its end without the deadline, and
 * then discards nothing, and refuses nothing from inside; no livelock.
 *
 * MUTANTS: 6
 *   1 draining begins before CLOSED is set on each queue: accepted from outside, then discarded though no deadline passed
 *   2 a VOID is published without rescheduling: the queue is never empty, shutdown hangs
 *   3 no SEALED: a late task's submission is accepted into a dead queue
 *   4 a counted worker takes work without the lock: stopped while a task runs that still submits
 *   5 emptiness is "no published slot": a submitter between reservation and publication is forgotten
 *   6 the sweep passes over slots that are not published: the same, at the deadline
 * CASES: 2
 *   1 no deadline; 2 a deadline at any time, and tasks that may never return
 * CYCLES: none
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef CASE
#define CASE 1
#endif
#define Q 2
#define W 2
#define SLOTS 3
#define EMPTY 0
#define WAITING 1
#define VOID 2
#define TAKEN 3
#define TASK 4                                   /* and above */
#define OPEN 0
#define CLOSING 1
#define DRAINING 2
#define STOPPED 3

typedef Queue { byte tail, head, slot[SLOTS]; bool closed, sealed, sched, busy, again };
Queue q[Q];
byte phase, idle; bool locked, shut;
byte ran[3], refused[3], discarded[3]; bool held[Q];

inline lock() { atomic { !locked -> locked = true } }
inline unlock() { locked = false }
inline schedule(x, sawWaiting) {
  atomic {
    if
    :: !q[x].sched -> q[x].sched = true          /* and an entry is pushed: any worker sees it */
    :: q[x].sched && q[x].busy && sawWaiting -> q[x].again = true
    :: else
    fi
  }
}
/* task n to queue x; shutBit: what refuses it */
inline submit(x, n, shutBit) {
  if
  :: shutBit -> refused[n]++
  :: else ->
     atomic { i = q[x].tail; q[x].tail++; refuse = shutBit; assert(i < SLOTS) };
     atomic {
       old = q[x].slot[i];
       if
       :: old == TAKEN
       :: else -> if :: refuse -> q[x].slot[i] = VOID :: else -> q[x].slot[i] = TASK + n fi
       fi;
       if :: refuse || old == TAKEN -> refused[n]++ :: else fi
     };
#if MUTANT == 2
     if :: !refuse -> schedule(x, old == WAITING) :: else fi;
#else
     if :: old != TAKEN -> schedule(x, old == WAITING) :: else fi;
#endif
     atomic { i = 0; old = 0; refuse = false }
  fi
}
/* the caller has q[x].busy */
inline sweepHeld(x) {
  do
  :: q[x].head < q[x].tail ->
     atomic {
       old = q[x].slot[q[x].head];
#if MUTANT == 6
       if :: old < VOID -> old = 0; break :: else fi;
#endif
       q[x].slot[q[x].head] = TAKEN; q[x].head++;
       if :: old >= TASK -> discarded[old - TASK]++ :: else fi;
       old = 0
     }
  :: else -> break
  od
}
inline sweep(x) {
  do
  :: atomic { if :: q[x].busy || q[x].head == q[x].tail -> break :: else -> q[x].busy = true; q[x].sched = true fi };
     sweepHeld(x);
     atomic { q[x].busy = false; q[x].sched = false; q[x].again = false };
#if MUTANT == 6
     break
#endif
  od
}

proctype Outside(byte x; byte n) {
  byte i, old; bool refuse;
  submit(x, n, q[x].closed)
}

proctype Worker() {
  byte x, i, old, n; bool counted, refuse, quiet;
next:
end:
  atomic {
    if
    :: q[0].sched && !q[0].busy -> x = 0
    :: q[1].sched && !q[1].busy -> x = 1
    :: phase == DRAINING && !counted -> goto rest
    :: phase == STOPPED -> goto stop
    fi
  };
  if
  :: counted ->
#if MUTANT == 4
     idle--; counted = false
#else
     lock();
     if
     :: phase == STOPPED -> unlock(); goto stop
     :: else -> idle--; counted = false; unlock()
     fi
#endif
  :: else
  fi;
  atomic { if :: q[x].sched && !q[x].busy -> q[x].busy = true :: else -> goto next fi };
drain:
  if :: phase == STOPPED -> sweepHeld(x); goto leave :: else fi;
  atomic {
    old = 0;
    if :: q[x].head < SLOTS -> old = q[x].slot[q[x].head] :: else fi;
    if
    :: old >= VOID -> q[x].head++
    :: else -> goto nothing
    fi
  };
  if
  :: old >= TASK ->
     atomic { n = old - TASK; ran[n]++; old = 0 };
#if CASE == 2
     if :: held[x] = true; goto endstuck :: skip fi;
#endif
     if
#if MUTANT == 3
     :: n == 0 -> submit(1, 2, false)
#else
     :: n == 0 -> submit(1, 2, q[1].sealed)        /* task 0 submits task 2 */
#endif
     :: else
     fi;
     n = 0
  :: else
  fi;
  goto drain;
nothing:
  if :: q[x].head == q[x].tail -> goto leave :: else fi;
  atomic { if :: q[x].slot[q[x].head] == EMPTY -> q[x].slot[q[x].head] = WAITING :: q[x].slot[q[x].head] == WAITING :: else -> goto drain fi };
  atomic { if :: q[x].again -> q[x].again = false; goto drain :: else -> q[x].sched = false; q[x].busy = false fi };
  goto left;
leave:
  n = q[x].head;
  atomic { q[x].sched = false; q[x].busy = false; q[x].again = false };
  if :: q[x].tail != n -> schedule(x, false) :: else fi;
left:
  n = 0;
  if :: phase == STOPPED -> sweep(x) :: else fi;
  goto next;
rest:
  lock();
  atomic { idle++; counted = true };
  if
  :: idle == W && phase == DRAINING ->
#if MUTANT == 5
     quiet = (q[0].head == SLOTS || q[0].slot[q[0].head] < VOID);
     if :: quiet -> quiet = (q[1].head == SLOTS || q[1].slot[q[1].head] < VOID) :: else fi;
#else
     quiet = (q[0].head == q[0].tail);
     if :: quiet -> quiet = (q[1].head == q[1].tail) :: else fi;
#endif
     if :: quiet -> phase = STOPPED; quiet = false :: else fi
  :: else
  fi;
  unlock();
  goto next;
endstuck:
  false;
stop:
  skip
}

proctype Shutdown() {
  byte old; bool deadline;
  phase = CLOSING;
#if MUTANT == 1
  phase = DRAINING;
#endif
  q[0].closed = true;
  q[1].closed = true;
  if :: phase == CLOSING -> phase = DRAINING :: else fi;
#if CASE == 1
  phase == STOPPED;
#else
  if
  :: phase == STOPPED
  :: true -> lock(); phase = STOPPED; unlock()
  fi;
#endif
  q[0].sealed = true;
  q[1].sealed = true;
  sweep(0);
  sweep(1);
  shut = true
}

init {
  atomic { run Worker(); run Worker(); run Outside(0, 0); run Outside(1, 1); run Shutdown() }
  timeout;
  assert(shut);
  assert(ran[0] + refused[0] + discarded[0] == 1 || held[0]);
  assert(ran[1] + refused[1] + discarded[1] == 1 || held[1]);
  assert(ran[0] + refused[0] + discarded[0] <= 1 && ran[1] + refused[1] + discarded[1] <= 1);
  assert(ran[2] + refused[2] + discarded[2] == ran[0] || held[0] || held[1]);
  assert(ran[2] + refused[2] + discarded[2] <= 1);
#if CASE == 1
  assert(discarded[0] + discarded[1] + discarded[2] == 0 && refused[2] == 0);
#endif
  assert(!locked)
}
