/*
 * A readiness source's life: activate, report, handle, suspend, retarget (its home moves), cancel.
 * Implemented in Sources/HawtDispatch/Sources/SourceBase.swift, ReadinessCore.swift and SourceState.swift, and Workers/PollerWork.swift. That somebody drains a mailbox is worker.pml's and lease.pml's matter:
 * here worker w's loop stands for whoever holds w's lease.
 *
 * The source word: ACT, CANC, suspend count, PEND (an entry for the handler is in the target, or it runs), RUNS, OFF (disarmed),
 * registered (with which worker), BUSY (a reconcile is posted or under way), DIRTY. An `atomic` block that
 * touches these is ONE read-modify-write of the word. Beside it: home (stored before the RMW that sets DIRTY), stamp.
 *
 *                 activate: DIRTY, BUSY, post to home       reconcile at home: add
 *      inactive ------------------------------------> BUSY --------------------------> registered(w), armed
 *   retarget: home := w', DIRTY, BUSY, post to registered, or home     reconcile at w: remove; post to w' (BUSY stays)
 *   report (lease of w): PEND, push entry     report while PEND or suspended: OFF       handler ends: stamp, then PEND off
 *   whoever's RMW makes (OFF and not PEND, not suspended, not CANC) true: DIRTY, BUSY, post: reconcile arms again
 *   cancel: CANC; if registered or BUSY: DIRTY, BUSY, post: reconcile removes
 *   whoever's RMW makes (CANC and not PEND, not registered, not BUSY) true submits the cancel handler
 *
 *   Reconcile at w   clear DIRTY; THEN read what is desired; registered here and desired elsewhere or nowhere: remove;
 *                    not registered, desired elsewhere: post there and be done; desired here: add, or arm if OFF; at the
 *                    end CAS BUSY off, if DIRTY came meanwhile, again.
 *   After CANC no operation sets DIRTY or BUSY any more, so the cancel condition, once true, stays true, and becomes true once.
 *   A handler that ends: reads `registered`, then that worker's wait number, stores both as its stamp, THEN clears PEND. A report is
 *   stale if the stamp names this worker and this wait. The worker is part of the stamp: wait numbers of two pollers do not compare.
 *   A worker counts its wait up before it asks the kernel.
 *
 * Memory ordering. RMWs of the word acquire and release. home: release store, acquire load after DIRTY was cleared. The wait
 * number: stored and loaded sequentially consistent (store; then the kernel's look at the descriptor - against - the handler's last read of it;
 * then load). stamp: plain between the RMW that clears PEND (release) and the load that finds it cleared (acquire).
 * Several reports never race: PEND is set under the lease of `registered` alone.
 *
 * Checked: one poller at most; at the end home's, or none if cancelled; one handler at most; no handler begins after
 * cancel returned; cancel handler once, after the last handler and the removal; at the end nothing undrained unless cancelled; nothing reported that has been drained;
 * nothing dropped as stale that is not; no livelock.
 *
 * MUTANTS: 7
 *   1 retarget after cancel sets BUSY again: the cancel handler runs twice
 *   2 the stamp is a wait number without its worker: fresh readiness is dropped after a migration
 *   3 PEND is cleared before the stamp is stored: drained readiness is reported again
 *   4 reconcile ends with BUSY := 0 without a look at DIRTY: a retarget is lost
 *   5 reconcile reads what is desired before it clears DIRTY: the same
 *   6 a handler that ends does not arm again what was disarmed meanwhile: readiness lost
 *   7 an entry is run without a look at CANC: a handler begins after cancel returned
 * CASES: 4
 *   1 activate, two retargets, data twice; 2 retarget beside cancel; 3 suspend and resume beside a retarget; 4 cancel beside activate and suspend
 * CYCLES: none
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef CASE
#define CASE 1
#endif
#define NOWHERE 2

bool ACT, CANC, PEND, RUNS, OFF, BUSY, DIRTY; byte SUSP, reg = NOWHERE;   /* the source word */
byte home; byte stampAt = NOWHERE, stampWait;
byte waitNumber[2];
chan mailbox[2] = [2] of { bit };
chan handlers = [2] of { bit };                  /* the target queue */
bool inPoller[2], armed[2];                      /* the pollers' own */

bool data;                                       /* the descriptor's level */
byte writes = 2, lazy = 1;
bool fresh[2], ended[2];                         /* since this worker's wait looked: not drained; a handler ended since it began */
bool cancelReturned; byte cancelHandlers, handling;

inline post(w) { assert(nfull(mailbox[w])); mailbox[w]!1 }
/* inside an atomic block, after the word was changed: sends = who has to be sent where */
inline dirty() { DIRTY = true; if :: !BUSY -> BUSY = true; sends = true; to = reg :: else fi }
inline rearm() { if :: OFF && !PEND && SUSP == 0 && !CANC && reg != NOWHERE -> dirty() :: else fi }
inline send() {
  if
  :: sends -> if :: to == NOWHERE -> to = home :: else fi; atomic { post(to); sends = false; to = 0 }
  :: else
  fi
}
inline over() {                                  /* part of an RMW that made the cancel condition true, perhaps */
  if
  :: CANC && !PEND && reg == NOWHERE && !BUSY ->
     assert(!RUNS && handling == 0 && !inPoller[0] && !inPoller[1]);
     cancelHandlers++; assert(cancelHandlers == 1)
  :: else
  fi
}

proctype Worker(byte w) {
  byte want; bool sends, seen, accept; byte to;
end:
  do
  :: atomic { mailbox[w]?_ ; seen = false };
again:
     assert(BUSY && (reg == w || reg == NOWHERE));
#if MUTANT == 5
     atomic { if :: ACT && !CANC -> want = home :: else -> want = NOWHERE fi }
     DIRTY = false;
#else
     DIRTY = false;                                                /* RMW; it also reads ACT, CANC */
     if :: ACT && !CANC -> want = home :: else -> want = NOWHERE fi;
#endif
     if
     :: reg == w && want != w ->
        atomic { inPoller[w] = false; armed[w] = false };
        atomic { reg = NOWHERE; OFF = false }
     :: reg == w && want == w ->
        atomic { seen = OFF && !PEND && SUSP == 0; if :: seen -> OFF = false; armed[w] = true :: else fi; seen = false }
     :: reg == NOWHERE && want == w ->
        atomic { inPoller[w] = true; armed[w] = true; assert(!inPoller[1 - w]) };
        atomic { reg = w; OFF = false }
     :: else
     fi;
     if
     :: reg == NOWHERE && want != w && want != NOWHERE -> atomic { post(want); want = 0 }        /* BUSY stays */
     :: else ->
        atomic {
#if MUTANT == 4
          BUSY = false; over(); want = 0
#else
          if :: DIRTY -> goto again :: else -> BUSY = false; over(); want = 0 fi
#endif
        }
     fi
  :: atomic { empty(mailbox[w]) && armed[w] && data ->            /* a wait that finds something */
       waitNumber[w]++; ended[w] = false; fresh[w] = true }
     /* ... and what it found is looked at. First the word, then the stamp */
     atomic { accept = !PEND && !CANC && SUSP == 0 };
     if
     :: accept ->
        if
#if MUTANT == 2
        :: stampWait >= waitNumber[w] -> assert(ended[w])
#else
        :: stampAt == w && stampWait == waitNumber[w] -> assert(ended[w])
#endif
        :: else ->
           atomic {
             if :: !CANC && SUSP == 0 -> PEND = true; assert(fresh[w]); assert(nfull(handlers)); handlers!1
                :: else                                              /* the next wait says so again */
             fi
           }
        fi
     :: else ->
        atomic { if :: PEND || CANC || SUSP > 0 -> OFF = true; armed[w] = false :: else fi }
     fi;
     accept = false
  od
}

proctype Target() {
  bool sends, runs; byte to, at, n;
end:
  do
  :: handlers?_;
     atomic {
       assert(PEND && !RUNS);
#if MUTANT == 7
       runs = true;
#else
       runs = !CANC && SUSP == 0;
#endif
       if :: runs -> RUNS = true; assert(!cancelReturned); handling++; assert(handling == 1)
          :: else -> PEND = false; rearm(); over()
       fi
     }
     if
     :: runs ->
        if
        :: atomic { lazy > 0 && data -> lazy-- }                    /* leaves it undrained, once */
        :: atomic { data = false; fresh[0] = false; fresh[1] = false }
        fi;
#if MUTANT == 3
        atomic { handling--; PEND = false; RUNS = false; ended[0] = true; ended[1] = true; rearm(); over() };
        at = reg;
        if :: at != NOWHERE -> n = waitNumber[at] :: else fi;
        atomic { stampAt = at; stampWait = n; at = 0; n = 0 }
#else
        at = reg;
        if :: at != NOWHERE -> n = waitNumber[at] :: else -> n = 0 fi;
        atomic { stampAt = at; stampWait = n; at = 0; n = 0 };
        atomic { handling--; PEND = false; RUNS = false; ended[0] = true; ended[1] = true;
#if MUTANT != 6
          rearm();
#endif
          over() }
#endif
     :: else
     fi;
     runs = false;
     send()
  od
}

proctype Peer() {                                /* the other end writes */
  do :: writes > 0 -> atomic { data = true; writes-- } :: else -> break od
}

proctype Activate() { bool sends; byte to;
  atomic { ACT = true; if :: !CANC -> dirty() :: else fi };
  send()
}
proctype Retarget(byte n) { bool sends; byte to, next = 1;
  do
  :: n > 0 ->
     home = next;
#if MUTANT == 1
     atomic { if :: ACT -> dirty() :: else fi };
#else
     atomic { if :: ACT && !CANC -> dirty() :: else fi };
#endif
     send();
     atomic { next = 1 - next; n-- }
  :: else -> break
  od
}
proctype Cancel() { bool sends; byte to;
  atomic { CANC = true; if :: reg != NOWHERE || BUSY -> dirty() :: else -> over() fi };
  cancelReturned = true;
  send()
}
proctype Suspend() { bool sends; byte to;
  SUSP++;
  atomic { SUSP--; rearm() };
  send()
}

init {
  atomic {
    run Worker(0); run Worker(1); run Target(); run Peer(); run Activate();
#if CASE == 1
    run Retarget(2);
#elif CASE == 2
    run Retarget(1); run Cancel();
#elif CASE == 3
    run Retarget(1); run Suspend();
#else
    run Suspend(); run Cancel();
#endif
  }
  timeout;
  assert(!BUSY && !DIRTY && !PEND && !RUNS && handling == 0);
  if
  :: CANC -> assert(cancelHandlers == 1 && reg == NOWHERE && !inPoller[0] && !inPoller[1])
  :: else -> assert(cancelHandlers == 0 && reg == home && inPoller[home] && !inPoller[1 - home] && !data)
  fi
}
