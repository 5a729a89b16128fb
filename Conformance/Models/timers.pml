/*
 * Cancelled timers that stay in their group, and the queue that armed timers keep.
 * Implemented in Sources/HawtDispatch/Timers/TimerGroup.swift (leaveCancelled, settle, sweep).
 *
 *   live, dead    the timers that stand in the group's heaps, armed and cancelled
 *   count         how many stand there, as it was published last
 *   cancelled     how many of them are cancelled, as far as those who did it, and those who took them out, have told
 *
 *   Cancel        armed -> cancelled (one CAS, no lock); raise cancelled; load count; too many: lock, SETTLE, unlock
 *   Fire          lock; take those that are due out; of the cancelled ones, lower cancelled; SETTLE; unlock
 *   SETTLE        publish count; load cancelled; more than none: SWEEP; nothing left: release the queue
 *   SWEEP         at most twice, while too many are cancelled: take some out (PLACES; SLICE if there are no others); publish count; lower
 *                 cancelled by as many. Are all that is left cancelled: the worker passes: it locks and settles.
 *
 * Memory ordering. Dekker, so sequentially consistent: (cancelled; load of count) of who cancels against (count; load of cancelled) of who took out.
 * What stands in the heaps belongs to the lock, but for the CAS.
 *
 * Checked: when nothing can happen any more and no timer is armed, the queue has been released, once.
 *
 * MUTANTS: 5
 *   1 who cancels loads the count before it raises the cancelled ones
 *   2 who took timers out asks for the cancelled ones before it publishes the count
 *   3 a sweep lowers the cancelled ones before it publishes the count, and does not ask again
 *   4 that all that is left is cancelled is told to nobody
 *   5 who takes a cancelled one out does not lower their number
 * CASES: 3
 *   1 one cancels, none falls due, a sweep takes one; 2 two cancel, two fall due; 3 two cancel, one falls due, a sweep takes most
 * CYCLES: none
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef CASE
#define CASE 1
#endif
#if CASE == 2
#define N 5
#define PLACES 1
#define SLICE 5
#elif CASE == 3
#define N 6
#define PLACES 4
#define SLICE 4
#else
#define N 6
#define PLACES 1
#define SLICE 1
#endif

#define tooMany(c, all) (3 * (c) >= 2 * (all))
#define size (live + dead)

byte live = N, dead;
short count = N, cancelled;
bool held, released, passes;

inline takeDead(most) {                          /* under the lock; out: how many */
  atomic { if :: dead < most -> out = dead :: else -> out = most fi; dead = dead - out }
}

inline settle() {
#if MUTANT == 2
  seen = cancelled;
  count = size;
#else
  count = size;
  seen = cancelled;
#endif
  if
  :: seen > 0 ->
     turn = 0;
     do
     :: turn == 2 -> break
     :: else ->
        turn++;
#if MUTANT != 2
        seen = cancelled;
#endif
        all = size;
        if :: all == 0 || !tooMany(seen, all) -> break :: else fi;
        if :: seen < all -> takeDead(PLACES) :: else -> takeDead(SLICE) fi;
#if MUTANT == 3
        cancelled = cancelled - out;
        count = size;
#else
        count = size;
#if MUTANT != 5
        cancelled = cancelled - out;
#endif
#endif
        if :: seen < all -> break :: else fi
     od;
#if MUTANT != 3 && MUTANT != 4
     if :: size > 0 && cancelled >= size -> passes = true :: else fi
#endif
  :: else
  fi;
  if :: size == 0 && !released -> released = true :: else fi;
  atomic { seen = 0; all = 0; out = 0; turn = 0 }
}

proctype Cancel(byte most) {
  short seen, all, out, mine; byte turn, n;
  do
  :: n == most -> break
  :: else ->
     n++;
     atomic { if :: live > 0 -> live--; dead++ :: else -> goto end0 fi };
#if MUTANT == 1
     all = count;
     atomic { cancelled++; mine = cancelled };
#else
     atomic { cancelled++; mine = cancelled };
     all = count;
#endif
     if
     :: tooMany(mine, all) ->
        all = 0;
        atomic { !held -> held = true };
        settle();
        held = false
     :: else -> all = 0
     fi;
     mine = 0
  od;
end0: skip
}

proctype Worker(byte due) {
  short seen, all, out; byte turn;
  if
  :: due > 0 ->
     atomic { !held -> held = true };
     do
     :: due > 0 ->
        due--;
        /* the first may be armed, or cancelled and in its place */
        atomic {
          if
          :: live > 0 -> live--
          :: dead > 0 -> dead--; out = 1
          :: live + dead == 0 -> skip
          fi
        };
#if MUTANT != 5
        cancelled = cancelled - out;
#endif
        out = 0
     :: due == 0 -> break
     od;
     settle();
     held = false
  :: else
  fi;
end:
  do
  :: passes ->
     atomic { !held -> held = true };
     passes = false;
     settle();
     held = false
  od
}

init {
  atomic {
#if CASE == 1
    run Cancel(N); run Worker(0)
#elif CASE == 2
    run Cancel(N); run Cancel(N); run Worker(2)
#else
    run Cancel(N); run Cancel(N); run Worker(1)
#endif
  }
  timeout;
  assert(live > 0 || released);
  assert(!released || size == 0)
}
