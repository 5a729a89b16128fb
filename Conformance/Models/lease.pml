/*
 * The lease of one worker's poller, and its mailbox.
 * Implemented in Sources/HawtDispatch/Workers/Lease.swift and Mailbox.swift, called by Worker+Turn.swift and PollerWork.swift.
 *
 *   lease     HELD: whoever holds it owns poller, slots and timers; AWAY: the owner is in user code, whoever holds the lease. One word.
 *   mailbox   a stack that anybody pushes to (CAS) and the holder takes whole (exchange)
 *
 *   Owner     a round: [user code, not HELD, AWAY]; come back, waiting: HELD, not AWAY; drain; no work: SLEEPING; drain again; look at eventfd and readiness
 *             (blocked in the wait, lease HELD); exchange AWAKE; drain; leave: not HELD, AWAY; look at the mailbox as all do; user code.
 *   Operation push; CAS to HELD, AWAY as it was: won: drain, release. Lost: the holder will see it; if the owner is SLEEPING: CAS NOTIFIED, write.
 *   Peer      when the owner is in user code for long: CAS to HELD, drain, poll without waiting, release. That the owner is in user code it takes from AWAY
 *             alone: that the lease is taken may be an operation's doing, or another peer's.
 *   Release   of anybody: not HELD; THEN look at the mailbox; not empty: CAS to HELD; lost: the new holder does it; won: drain,
 *             and again from the start.
 *   Drain     repeated until the mailbox is found empty; runs no user code. An operation that posts to a mailbox whose lease this thread
 *             holds already only pushes: its CAS fails, and its release will look.
 *
 * Memory ordering. lease: acquired with acquire, released with release; that hands the poller over. Dekker, hence sequentially consistent:
 * (push; CAS of the lease) against (not HELD; load of the mailbox), and (push; failed CAS; load of sleep) against
 * (sleep := SLEEPING; load of the mailbox). A failed CAS must be sequentially consistent too: it is the load of the pair.
 *
 * Freed by a plain store of the word that was read: nobody else writes it while it is held.
 *
 * Checked: AWAY says what it means, to whoever looks, whatever is done under the lease meanwhile; one holder at a time; the poller is touched by the holder alone; no operation is left in the mailbox at the end, even
 * when the owner never comes back from user code; the owner sleeps at the end only with an empty mailbox; no livelock but that of the rounds, which are counted.
 *
 * MUTANTS: 6
 *   1 release looks at the mailbox before it frees the lease: an operation is lost
 *   2 the owner does not drain again after it announced its sleep: lost
 *   3 an operation that lost the CAS wakes nobody: lost
 *   4 an operation frees the lease without a look at the mailbox: lost beside a stuck owner
 *   5 the owner goes on after user code without waiting for the lease: two at the poller
 *   6 whoever takes the lease clears AWAY: a stuck owner seems to be back, and nobody serves it any more
 * CASES: 2
 *   1 two operations; 2 an operation and a peer
 * CYCLES: none
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef CASE
#define CASE 1
#endif
#define AWAKE 0
#define SLEEPING 1
#define NOTIFIED 2

bool HELD, AWAY; byte sleep, eventfd, mailbox;
byte done, holders; bool stuck, inUserCode;
#define OPERATIONS 3

#if MUTANT == 6
inline hold() { holders++; assert(holders == 1); AWAY = false }
#else
inline hold() { holders++; assert(holders == 1) }
#endif
inline drain() {
  do
  :: atomic { mailbox > 0 -> got = mailbox; mailbox = 0; assert(HELD && holders == 1) };
     atomic { done = done + got; got = 0 }
  :: atomic { mailbox == 0 -> break }
  od
}
inline release(look, leaves) {
  atomic { leaving = leaves };
  do
  :: atomic { holders--; assert(holders == 0); if :: leaving -> AWAY = true; inUserCode = true; leaving = false :: else fi;
#if MUTANT == 1
     won = (mailbox > 0) }; if :: won -> atomic { holders++ } drain() :: else -> HELD = false; break fi
#else
     HELD = false };
     if :: !look || mailbox == 0 -> break :: else fi;
     atomic { if :: !HELD -> HELD = true; hold() :: else -> break fi };
     drain()
#endif
  od
}

proctype Owner(byte rounds) {
  byte got; bool won, leaving;
  do
  :: rounds > 0 ->
     rounds--;
#if MUTANT == 5
     atomic { HELD = true; AWAY = false; inUserCode = false; hold() };
#else
     atomic { !HELD -> HELD = true; AWAY = false; inUserCode = false; hold() };     /* waits: a holder does little, and runs no user code */
#endif
     drain();
     if
     :: true                                      /* there is work: no sleep */
     :: true ->
        sleep = SLEEPING;
#if MUTANT != 2
        if :: mailbox > 0 -> goto awake :: else fi;
#endif
end:    atomic { eventfd > 0 -> eventfd = 0 };
awake:
        sleep = AWAKE;
        drain()
     fi;
     release(true, true);
     if :: stuck = true; break :: skip fi         /* user code, perhaps for ever */
  :: else -> break
  od
}

proctype Operation(byte n) {
  byte got; bool won, leaving;
  do
  :: n > 0 ->
     n--;
     mailbox++;
     atomic { won = !HELD; if :: won -> HELD = true; hold() :: else fi };
     if
     :: won -> won = false; drain();
#if MUTANT == 4
        release(false, false)
#else
        release(true, false)
#endif
     :: else ->
#if MUTANT != 3
        atomic { won = (sleep == SLEEPING); if :: won -> sleep = NOTIFIED :: else fi };
        if :: won -> atomic { eventfd++; won = false } :: else fi
#endif
     fi
  :: else -> break
  od
}

proctype Peer(byte n) {
  byte got; bool won, leaving;
  do
  :: n > 0 ->
     n--;
     atomic { won = !HELD; if :: won -> HELD = true; hold() :: else fi };
     if :: won -> won = false; drain(); assert(HELD && AWAY == inUserCode); release(true, false) :: else fi
  :: else -> break
  od
}

init {
  atomic {
#if CASE == 1
    run Owner(3); run Operation(2); run Operation(1)
#else
    run Owner(3); run Operation(3); run Peer(2)
#endif
  }
  timeout;
  assert(mailbox == 0 && done == OPERATIONS);
  assert(!HELD || sleep == SLEEPING);
  assert(AWAY == inUserCode && (AWAY || !stuck))
}
