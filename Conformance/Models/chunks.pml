/*
 * A serial queue's list of chunks: many producers, one consumer at a time, chunks given back when idle.
 * Implemented in Sources/HawtDispatch/ChunkList.swift, called by SerialCore.swift (state word: queue.pml).
 *
 *   tail word   (chunk, index, closed)    one fetch_add reserves slot `index` of `chunk`
 *   first       link to the first chunk: none / WAITING / chunk; each chunk has the same as `next`
 *   slot        EMPTY / WAITING / FULL
 *   head        (chunk, index), the runner's own; handed on through the state word
 *
 *   Push     fetch_add. index < capacity: the slot is mine: exchange FULL into it. Otherwise (also: no chunk, whose capacity is 0) the
 *            reservation is void; whoever gets one, not only the first, tries to install: load tail; if its index is below
 *            capacity, start again; else fill slot 0 of a fresh chunk, CAS tail (chunk, index) -> (fresh, 1); lost: again
 *            with the fresh chunk in hand. Won: exchange the link of the old chunk (or `first`) to the fresh one. So nobody waits for
 *            a thread that is not running; and tail is loaded again, never added to again, while it is full: the index must
 *            not run over. If an exchange returned WAITING, reschedule the queue (AGAIN, see queue.pml).
 *   Take     head chunk none: take `first` (none: tail (none, 0) is empty, else late; a chunk: exchange none into it).
 *            index < capacity: slot FULL -> take; EMPTY and tail = head -> empty; EMPTY otherwise -> late.
 *            index = capacity: link set -> go on there and give the chunk back; none and tail = head -> empty; otherwise late.
 *   Late     mark the slot or link WAITING, leave by the state word unless AGAIN (queue.pml).
 *   Empty    CAS tail (chunk, index) -> (none, 0); lost: again; won: give the chunk back. Then leave by the state word, then look at
 *            tail again, (none, 0) or not. No chunk is touched after the state word is left.
 *
 * A chunk is given back when its last slot was taken and its successor's link was seen, or when it was
 * detached. Each producer's last touch of a chunk is an exchange that the consumer has seen by then, or is a CAS on tail.
 * That CAS has no ABA: it replaces a value that IS full now, whichever life of the chunk it names.
 *
 * Memory ordering. fetch_add, tail CAS: acquire and release (release publishes the emptied slots and links of a fresh chunk,
 * acquire shows them); exchange of slot and link: acquire and release, and sequentially consistent together with the state load after
 * it (Dekker against a runner that leaves, see queue.pml; there the reservation, sequentially consistent as well, is what the tail load finds).
 *
 * Checked: each task once; order of each producer, and of pushes one of which returned before the other began (Q1); no
 * chunk touched after it was given back; at the end all ran and all chunks are back; no livelock.
 *
 * MUTANTS: 6
 *   1 the consumer leaves an EMPTY slot without marking it and the producer looks at SCHED only: task lost
 *   2 empty: tail is stored, not CASed, over a reservation that came meanwhile
 *   3 a full chunk is given back before its link was seen: the installer writes into a chunk that lives again
 *   4 the slot is looked at again after the state word is left: a chunk is touched that may be given back
 *   5 the installer does not exchange the link but stores it: a WAITING link is overlooked
 *   6 the installer's CAS looks at the chunk only, not at the index: it replaces a chunk that is not full
 * CASES: 4
 *   1 capacity 2; 2 capacity 1; 3 capacity 2, a chunk more; 4 capacity 2, the list handed from runner to runner
 * CYCLES: none
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef CASE
#define CASE 1
#endif
#if CASE == 1
#define CAP 2
#define NA 2
#define NB 2
#elif CASE == 2
#define CAP 1
#define NA 2
#define NB 2
#elif CASE == 3
#define CAP 2
#define NA 3
#define NB 1
#else
#define CAP 2
#define NA 2
#define NB 1
#endif
#define CHUNKS 4
#define NONE 0
#define WAIT 255
#define EMPTY 0
#define WAITING 1
/* a slot above 1 holds a task: 2 + 16 * producer + number */

byte tailChunk, tailIndex;                       /* the tail word */
byte first;
byte headChunk, headIndex;
typedef Chunk { byte slot[CAP]; byte next; bool live; byte life };
Chunk chunk[CHUNKS + 1];                         /* 1 ... CHUNKS */
bool SCHED, RUN, AGAIN;                          /* the state word */
chan entries = [6] of { bit };

byte taken[2], returned[2], seen[6];             /* seen: of the other's pushes, how many had returned when this began */
byte alive;

inline allocate(c) {
  atomic {
    c = 1;
    do :: c <= CHUNKS && chunk[c].live -> c++ :: else -> break od;
    assert(c <= CHUNKS);
    chunk[c].live = true; alive++
  }
}
inline release(c) {
  atomic {
    assert(chunk[c].live);
    chunk[c].live = false; alive--; chunk[c].next = NONE;
    chunk[c].life = 1 - chunk[c].life;           /* told apart by the next life only: enough to catch a late touch */
    chunk[c].slot[0] = EMPTY; chunk[c].slot[CAP - 1] = EMPTY
  }
}
inline schedule(sawWaiting) {
  atomic {
    if
    :: !SCHED -> SCHED = true; assert(nfull(entries)); entries!1
    :: SCHED && RUN && sawWaiting -> AGAIN = true
    :: else
    fi
  }
}

proctype Producer(byte me; byte count) {
  byte c, i, n, k, v, fresh, old; bool won;
  do
  :: k < count ->
     atomic { v = 2 + 16 * me + k; seen[3 * me + k] = returned[1 - me] }
again:
     atomic { c = tailChunk; i = tailIndex; tailIndex++ }                       /* fetch_add */
     if
     :: c != NONE && i < CAP ->
        atomic {
          assert(chunk[c].live);
          old = chunk[c].slot[i]; chunk[c].slot[i] = v;
          assert(old == EMPTY || old == WAITING); won = (old == WAITING)
        }
     :: else ->
install:
        atomic { c = tailChunk; i = tailIndex }                                   /* load */
        if :: c != NONE && i < CAP -> atomic { c = 0; i = 0; goto again } :: else fi;
        if :: fresh == NONE -> allocate(fresh) :: else fi;
        atomic {
          chunk[fresh].slot[0] = v;                                              /* still private */
#if MUTANT == 6
          if :: tailChunk == c -> tailChunk = fresh; tailIndex = 1
#else
          if :: tailChunk == c && tailIndex == i -> tailChunk = fresh; tailIndex = 1
#endif
             :: else -> chunk[fresh].slot[0] = EMPTY; goto install
          fi
        }
#if MUTANT == 5
        atomic { won = false; if :: c == NONE -> first = fresh :: else -> assert(chunk[c].live); chunk[c].next = fresh fi };
#else
        atomic {
          if
          :: c == NONE -> assert(first == NONE || first == WAIT); won = (first == WAIT); first = fresh
          :: else ->
             assert(chunk[c].live && (chunk[c].next == NONE || chunk[c].next == WAIT));
             won = (chunk[c].next == WAIT); chunk[c].next = fresh
          fi
        }
#endif
        fresh = NONE
     fi;
#if MUTANT == 1
     won = false;
#endif
     schedule(won);
     atomic { k++; returned[me] = k; c = 0; i = 0; old = 0; v = 0; won = false }
  :: else -> break
  od;
  /* a fresh chunk that lost its race goes back */
  if :: fresh != NONE -> release(fresh) :: else fi
}

inline check(v) {                                /* a task is taken, and runs */
  assert(v >= 2);
  assert(taken[(v - 2) / 16] == (v - 2) % 16);
  assert(taken[1 - (v - 2) / 16] >= seen[3 * ((v - 2) / 16) + (v - 2) % 16]);
  taken[(v - 2) / 16]++
}

proctype Runner() {
  byte old, t, ti;
end:
  atomic { entries?1; assert(SCHED && !RUN); RUN = true }
next:
  if
  :: headChunk == NONE ->
     atomic {
       old = first;
       if :: old != NONE && old != WAIT -> first = NONE; headChunk = old; headIndex = 0; old = 0; goto next :: else fi
     }
     atomic { if :: tailChunk == NONE && tailIndex == 0 -> old = 0; goto leave :: else fi }
     atomic { if :: first == NONE -> first = WAIT :: first == WAIT :: else -> goto next fi }
     goto late
  :: headChunk != NONE && headIndex < CAP ->
     atomic {
       if :: chunk[headChunk].slot[headIndex] >= 2 ->
             old = chunk[headChunk].slot[headIndex]; check(old); headIndex++; old = 0; goto next
          :: else
       fi
     }
     atomic { if :: tailChunk == headChunk && tailIndex == headIndex -> goto detach :: else fi }
#if MUTANT == 1
     goto late;
#endif
     atomic {
       if :: chunk[headChunk].slot[headIndex] == EMPTY -> chunk[headChunk].slot[headIndex] = WAITING
          :: chunk[headChunk].slot[headIndex] == WAITING
          :: else -> goto next
       fi
     }
#if MUTANT == 4
     atomic { t = headChunk; ti = headIndex; old = chunk[t].life; SCHED = false; RUN = false; AGAIN = false }
     assert(chunk[t].live && chunk[t].life == old);
     if :: chunk[t].slot[ti] >= 2 -> schedule(false) :: else fi;
     atomic { t = 0; ti = 0; old = 0; goto end };
#endif
     goto late
  :: else ->                                     /* index = capacity */
#if MUTANT == 3
     old = chunk[headChunk].next;
     if
     :: old != NONE && old != WAIT -> atomic { t = headChunk; headChunk = old; headIndex = 0; release(t); t = 0; old = 0; goto next }
     :: else
     fi;
     atomic { if :: tailChunk == headChunk && tailIndex == headIndex -> goto detach :: else fi }
     t = headChunk; release(t); headChunk = NONE; t = 0;
     goto next;
#else
     atomic {
       old = chunk[headChunk].next;
       if :: old != NONE && old != WAIT -> t = headChunk; headChunk = old; headIndex = 0; release(t); t = 0; old = 0; goto next :: else fi
     }
     atomic { if :: tailChunk == headChunk && tailIndex == headIndex -> goto detach :: else fi }
     atomic {
       if :: chunk[headChunk].next == NONE -> chunk[headChunk].next = WAIT
          :: chunk[headChunk].next == WAIT
          :: else -> goto next
       fi
     }
#endif
     goto late
  fi;
detach:
#if MUTANT == 2
  tailChunk = NONE; tailIndex = 0;
#else
  atomic {
    if :: tailChunk == headChunk && tailIndex == headIndex -> tailChunk = NONE; tailIndex = 0 :: else -> goto next fi
  }
#endif
  atomic { t = headChunk; headChunk = NONE; headIndex = 0; release(t); t = 0 }
leave:
  atomic { SCHED = false; RUN = false; AGAIN = false }
  if :: !(tailChunk == NONE && tailIndex == 0) -> schedule(false) :: else fi;
  goto end;
late:
  atomic { old = 0; if :: AGAIN -> AGAIN = false; goto next :: else -> SCHED = false; RUN = false fi }
  goto end
}

init {
  atomic { run Producer(0, NA); run Producer(1, NB); run Runner();
#if CASE == 4
    run Runner()
#endif
  }
  timeout;
  assert(taken[0] == NA && taken[1] == NB);
  assert(tailChunk == NONE && tailIndex == 0 && headChunk == NONE && first == NONE);
  assert(alive == 0 && !SCHED && !RUN)
}
