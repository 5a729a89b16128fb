/*
 * The watch: a sleeper's alarm while some worker runs user code, so that a stuck one is found (rule Q13).
 * Implemented in Sources/HawtDispatch/Workers/Watch.swift, called by Worker+Turn.swift; the away bit is Lease.swift's (lease.pml).
 *
 *   watcher     UNARMED, or the worker whose alarm is set
 *   asleep      the sleep word is SLEEPING and the idle bit is set, in this order; the alarm is a timer in the sleeper's own poller
 *   pending     the alarm of a poller was set, and nobody has found since that it rang: it is not set again
 *   away        the worker has left its lease to run user code, whoever may hold the lease meanwhile
 *
 *   Worker      a round: come back (away off); no work: asleep; look at the work again; none: SLEEPS; wait; the alarm rang: RANG; awake.
 *               Leave the lease (away); look once whether there is work: if not, no user code runs in this round; BEGINS; user code.
 *   BEGINS      watcher is me, or UNARMED while somebody sleeps: loop: choose a sleeper; none, and UNARMED: done. CAS the watcher from what was seen
 *               to the sleeper, or to UNARMED; won with a sleeper: set its alarm, done. Won without: a worker may have gone to sleep
 *               relying on me: again, from UNARMED (its own second look at a lost CAS would find that too). Lost: again from what is there, as long as that is me or UNARMED.
 *   SLEEPS      watcher is me: done, my alarm is set. It is another that is not away: done, it hands over before it runs user code. Otherwise, if a peer is
 *               away: CAS the watcher from what was seen to me; won: set my alarm. Lost: again, as who won may have chosen one that woke and began meanwhile.
 *               (An alarm that is pending rings earlier than one that is set now: then it is set again.)
 *   RANG        the alarm is pending no more, and then: CAS the watcher from me to UNARMED; won: as SLEEPS, from UNARMED. It may be a server that finds the alarm of a stuck watcher.
 *
 * Memory ordering. Dekker, so sequentially consistent: (away; load of watcher and idle bits) of who begins against (idle bit; load of watcher
 * and of the peers' away) of who goes to sleep; (watcher; pending) of who sets an alarm against (pending; watcher) of who finds that it rang.
 *
 * Checked: when nothing can happen any more but that an alarm rings, each stuck worker is watched by one that is not stuck and whose alarm is set, unless
 * all are stuck; when no worker is stuck and alarms have come to their end, none is set (an idle dispatcher uses no CPU).
 * Alarms ring RINGS times only: what follows another ring is the same again.
 *
 * MUTANTS: 8
 *   1 that somebody holds the lease counts as the owner's being back (no away bit): beside a post, a stuck worker is overlooked
 *   2 who begins user code looks at the watcher before it leaves its lease
 *   3 who goes to sleep looks for busy peers before it announces its sleep
 *   4 a watcher that begins user code remains the watcher
 *   5 an alarm that rang is not set again
 *   6 a worker that had no work when it looked runs what has come since: nobody was asked to watch it
 *   7 who goes to sleep and loses the CAS relies on who won, who may have chosen one that is awake and about to get stuck
 *   8 the alarm that rang is pending until the watcher was looked at
 * CASES: 3
 *   1 two workers, a task for each; 2 two workers, a post to the one that may be stuck; 3 three workers, tasks for two
 * CYCLES: 2
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef CASE
#define CASE 1
#endif
#if CASE == 3
#define W 3
#define RINGS 0
#else
#define W 2
#define RINGS 1
#endif
#define UNARMED W

bool held[W], away[W], asleep[W], alarm[W], pending[W], stuck[W];
byte eventfd[W], work[W];
byte watcher = UNARMED, rings = RINGS;

#if MUTANT == 1
#define isAway(x) (!held[x])
#else
#define isAway(x) away[x]
#endif

inline set(x) {
  atomic { mine = !pending[x]; pending[x] = true };
  if :: mine -> alarm[x] = true :: else fi
}
/* the watcher becomes me if a peer is busy and nobody watches; seen: what the watcher was found to be */
inline arm() {
  do
  :: seen == me || (seen != UNARMED && !isAway(seen)) -> break
  :: else ->
     p = 0;
     do
     :: p < W && (p == me || !isAway(p)) -> p++
     :: p < W && p != me && isAway(p) -> break
     :: p == W -> break
     od;
     if :: p == W -> break :: else fi;
     atomic { p = 0; mine = (watcher == seen); if :: mine -> watcher = me :: else -> seen = watcher fi };
     if :: mine -> set(me); break :: else fi;
#if MUTANT == 7
     break
#endif
  od;
  atomic { p = 0; mine = false; seen = 0 }
}
inline rang(owner) {
#if MUTANT != 8
  pending[owner] = false;
#endif
#if MUTANT == 5
  skip
#else
  atomic { mine = (watcher == owner); if :: mine -> watcher = UNARMED :: else fi };
  if :: mine -> atomic { mine = false; seen = UNARMED }; arm() :: else fi
#endif
#if MUTANT == 8
  ; pending[owner] = false
#endif
}
inline begins() {
  atomic {
    seen = watcher;
    p = 0; do :: p < W && !asleep[p] -> p++ :: else -> break od;
#if MUTANT == 4
    if :: seen == me || (seen == UNARMED && p == W) -> seen = W + 1 :: else fi;
#else
    if :: seen == UNARMED && p == W -> seen = W + 1 :: else fi;
#endif
    p = 0
  };
  do
  :: seen == me || seen == UNARMED ->
     atomic { p = 0; do :: p < W && (!asleep[p] || p == me) -> p++ :: else -> break od };
     if :: p == W && seen == UNARMED -> break :: else fi;
     atomic { mine = (watcher == seen); if :: mine -> watcher = p :: else -> seen = watcher fi };   /* p is W: UNARMED */
     if
     :: mine && p < W -> set(p); break
     :: mine && p == W ->
        seen = UNARMED
     :: else
     fi
  :: else -> break
  od;
  atomic { seen = 0; p = 0; mine = false }
}

proctype Worker(byte me) {
  byte seen, p, served; bool mine, ringing, has;
next:
  atomic { !held[me] -> held[me] = true; away[me] = false };
  if
  :: work[me] > 0
  :: else ->
#if MUTANT == 3
     seen = watcher; arm();
     asleep[me] = true;
#else
     asleep[me] = true;
#endif
     if
     :: work[me] > 0
     :: else ->
#if MUTANT != 3
        seen = watcher; arm();
#endif
end:    atomic {
          if
          :: eventfd[me] > 0 -> eventfd[me] = 0
          :: alarm[me] && rings > 0 -> alarm[me] = false; rings--; ringing = true
          fi
        }
     fi;
     if :: ringing -> ringing = false; rang(me) :: else fi;
     asleep[me] = false;
#if RINGS > 0
     /* serves a peer that has been away for long, and whose alarm may have rung */
     atomic { p = 0; do :: p < W && (p == me || !stuck[p] || held[p]) -> p++ :: else -> break od;
       seen = p; p = 0; if :: seen < W -> held[seen] = true :: else fi };
     if
     :: seen < W ->
        atomic { ringing = alarm[seen]; alarm[seen] = false };
        served = seen;
        if :: ringing -> ringing = false; rang(served) :: else fi;
        atomic { held[served] = false; served = 0 }
     :: else
     fi;
     seen = 0
#else
     skip
#endif
  fi;
#if MUTANT == 2
  begins();
#endif
  atomic { held[me] = false; away[me] = true };
#if MUTANT == 6
  has = true;
  if :: work[me] > 0 -> begins() :: else fi;
#else
  has = work[me] > 0;
  if
  :: has ->
#if MUTANT != 2
     begins()
#else
     skip
#endif
  :: else
  fi;
#endif
  atomic { if :: has && work[me] > 0 -> work[me]-- :: else -> has = false; goto next fi };
  if
  :: stuck[me] = true; goto endstuck
  :: has = false; goto next
  fi;
endstuck:
  false
}

proctype Submitter(byte to) {                    /* a task for one worker, which wakes no other */
  bool wakes;
  work[to]++;
  atomic { wakes = asleep[to] && eventfd[to] == 0 };
  if :: wakes -> eventfd[to]++ :: else fi
}

proctype Post(byte to) {                         /* takes the lease for a moment, or wakes the owner, who finds no work */
  bool mine;
  atomic { mine = !held[to]; if :: mine -> held[to] = true :: else fi };
  if
  :: mine -> held[to] = false
  :: else -> if :: asleep[to] -> eventfd[to] = 1 :: else fi
  fi
}

init {
  byte s, v;
  atomic {
    run Worker(0); run Worker(1);
#if CASE == 1
    run Submitter(0); run Submitter(1)
#elif CASE == 3
    run Worker(2); run Submitter(0); run Submitter(1)
#else
    run Submitter(0); run Post(0)
#endif
  }
  timeout;
  atomic {
    do :: s < W && stuck[s] -> s++ :: else -> break od;      /* s: one that is free, or W */
    do :: v < W && !stuck[v] -> v++ :: else -> break od      /* v: one that is stuck, or W */
  }
  if
  :: v < W && s < W -> assert(watcher != UNARMED); assert(!stuck[watcher] && asleep[watcher] && alarm[watcher])
  :: v == W -> assert(rings == 0 || watcher == UNARMED)
  :: else
  fi
}
