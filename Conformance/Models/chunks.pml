/*
 * A queue's list of chunks: many producers, one consumer at a time, chunks given back when idle, closed by a shutdown.
 * Implemented in Sources/HawtDispatch/Queues/ChunkList.swift, called by SerialCore.swift (state word: queue.pml).
 *
 *   tail word   (chunk, index, closed)    one fetch_add reserves slot `index` of `chunk`; an index from the capacity on stands for no slot
 *   first       link to the first chunk: none / chunk; each chunk has the same as `next`, which may be WAITING too
 *   slot        EMPTY / WAITING / VOID (refused) / a task
 *   head        (chunk, index), the runner's own; handed on through the state word
 *
 *   Push     fetch_add. index < capacity: the slot is mine: exchange the task into it; an outsider whose fetch_add has found the list closed puts VOID
 *            there, and is refused. Otherwise (also: no chunk, whose capacity is 0) the reservation is void: load tail; if its index is below
 *            capacity, fetch_add again; closed, and I am an outsider: refused, nothing reserved, and the index is trimmed, for nobody will install;
 *            else fill slot 0 of a fresh chunk, CAS tail (chunk, index) -> (fresh, 1), closed as it was; lost: load again
 *            with the fresh chunk in hand. Won: exchange the link of the old chunk to the fresh one, or store `first`. So nobody waits for
 *            a thread that is not running; and tail is loaded again, never added to again, while it is full: the index must
 *            not run over. An exchange that returned WAITING, or put VOID: poke the queue (AGAIN, see queue.pml); else schedule it if it is not.
 *   Own push the runner, from within its task: fetch_add; index < capacity: a plain store of the task, and no look at the state: it awaits nothing
 *            while it runs a task, and looks at the list again. Otherwise as anybody.
 *   Trim     CAS tail to index = capacity, or 0 without chunk, if it is far beyond. Takes nothing away, as it stood for no slot.
 *   Take     head chunk none: take `first`, if there is one. index < capacity: slot not EMPTY and not WAITING -> take.
 *            index = capacity: link set -> go on there and give the chunk back. Otherwise settle.
 *   Settle   head chunk none: empty. Tail in my chunk, and its index, the capacity at most, is mine: CAS tail -> (none, 0), closed as it was; won: give the
 *            chunk back: empty. Lost: load tail again; a close is no reservation. Otherwise mark the slot or link WAITING: late; published meanwhile: go on.
 *   Leave    by the state word, unless AGAIN. After an empty list: look at `first` again: set: schedule. No chunk is touched after the state word is left.
 *
 * A chunk is given back when its last slot was taken and its successor's link was seen, or when it was
 * detached. Each producer's last touch of a chunk is an exchange that the consumer has seen by then, or is a CAS on tail.
 * That CAS has no ABA: it replaces a value that IS full now, whichever life of the chunk it names.
 *
 * Memory ordering. fetch_add, tail CAS: acquire and release (release publishes the emptied slots and links of a fresh chunk,
 * acquire shows them); exchange of slot and link, store of first: acquire and release, and sequentially consistent together with the state load after
 * it (Dekker against a runner that leaves and then looks at first; see queue.pml). The own push's store: release, for whoever consumes next.
 *
 * Checked: each accepted task once, each refused one never; a task runs after every one whose push returned before its own began (Q1), the own pushes
 * too; what is pushed after the list was closed is refused; no chunk touched after it was given back; at the end all ran, the list is empty, closed or not, and
 * all chunks are back; the index never runs over; no livelock.
 *
 * MUTANTS: 10
 *   1 the consumer leaves an EMPTY slot without marking it and the producer looks at SCHED only: task lost
 *   2 settle: tail is stored, not CASed, over a reservation that came meanwhile
 *   3 a full chunk is given back before its link was seen: the installer writes into a chunk that lives again
 *   4 after an empty list was left, nobody looks at first again: task lost
 *   5 the installer does not exchange the link but stores it: a WAITING link is overlooked
 *   6 the installer's CAS looks at the chunk only, not at the index: it replaces a chunk that is not full
 *   7 a producer that is not the consumer pushes as if it were: what the consumer awaits is never told
 *   8 settle looks at the index as it is: a full chunk at which refused outsiders have counted up is never given back
 *   9 settle takes a CAS that lost to a close for a reservation, and awaits what nobody publishes: the list is never empty
 *  10 refused outsiders do not trim: the index runs over
 * CASES: 6
 *   1 capacity 2; 2 capacity 1; 3 outsiders beside a close, capacity 1; 4 own pushes, capacity 2; 5 the list handed from runner to runner;
 *   6 one outsider again and again beside a close, capacity 1
 * CYCLES: 2
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef CASE
#define CASE 1
#endif
#if CASE == 2 || CASE == 3 || CASE == 6
#define CAP 1
#else
#define CAP 2
#endif
#define CHUNKS 4
#define NONE 0
#define WAIT 255
#define EMPTY 0
#define WAITING 1
#define VOID 2
#define TASK 3                                   /* and above */
#define TASKS 5
#if CASE == 6
#define SLACK 1                                  /* how far the index may be beyond the capacity: the number of threads */
#else
#define SLACK 2
#endif
#define ACCEPTED 1
#define AWAITED 2
#define REFUSED 3
#define GONE 4                                   /* refused without trace */

byte tailChunk, tailIndex; bool CLOSED;          /* the tail word */
byte first;
byte headChunk, headIndex;
typedef Chunk { byte slot[CAP]; byte next; bool live };
Chunk chunk[CHUNKS + 1];                         /* 1 ... CHUNKS */
bool SCHED, RUN, AGAIN;                          /* the state word */
chan entries = [2] of { bit };

byte returned, taken, refused, must[TASKS];      /* sets of tasks; must: those that had returned when this one's push began */
byte pushed; bool closeReturned, late[TASKS];
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
  assert(chunk[c].live);
  chunk[c].live = false; alive--; chunk[c].next = NONE;
  chunk[c].slot[0] = EMPTY; chunk[c].slot[CAP - 1] = EMPTY
}
/* ends a push: who has to be told */
inline tell() {
  atomic {
    if
    :: result == GONE
    :: result != GONE && !SCHED -> SCHED = true; assert(nfull(entries)); entries!1
    :: result != GONE && SCHED && RUN && result != ACCEPTED -> AGAIN = true
    :: else
    fi
  }
}
inline push(t, outside, own) {
  atomic {
    must[t] = returned; late[t] = closeReturned; result = 0;
  }
  atomic { c = tailChunk; i = tailIndex; shut = CLOSED; tailIndex++; assert(tailIndex <= CAP + SLACK) }
  do
  :: result == 0 && c != NONE && i < CAP ->
     atomic {
       assert(chunk[c].live); old = chunk[c].slot[i]; assert(old == EMPTY || old == WAITING);
       if
       :: outside && shut -> chunk[c].slot[i] = VOID; result = REFUSED
       :: else ->
          chunk[c].slot[i] = TASK + t;
          if :: old == WAITING -> result = AWAITED; assert(!own) :: else -> result = ACCEPTED fi
       fi;
       old = 0
     }
  :: result == 0 && (c == NONE || i >= CAP) ->
     atomic { c = tailChunk; i = tailIndex; shut = CLOSED };
     if
     :: c != NONE && i < CAP ->
        atomic { c = tailChunk; i = tailIndex; shut = CLOSED; tailIndex++; assert(tailIndex <= CAP + SLACK) }
     :: (c == NONE || i >= CAP) && shut && outside ->
#if MUTANT != 10
        /* trims from the first on, where the code waits for a thousand */
        atomic {
          if
          :: tailChunk == NONE -> tailIndex = 0
          :: tailChunk != NONE && tailIndex > CAP -> tailIndex = CAP
          :: else
          fi
        };
#endif
        result = GONE
     :: else ->
        if :: fresh == NONE -> allocate(fresh) :: else fi;
        atomic {
#if MUTANT == 6
          won = (tailChunk == c && CLOSED == shut);
#else
          won = (tailChunk == c && tailIndex == i && CLOSED == shut);
#endif
          if :: won -> chunk[fresh].slot[0] = TASK + t; tailChunk = fresh; tailIndex = 1
             :: else -> c = NONE; i = 0
          fi
        };
        if
        :: won ->
           atomic {
             if
             :: c == NONE -> assert(first == NONE); first = fresh; result = ACCEPTED
             :: else ->
                assert(chunk[c].live && (chunk[c].next == NONE || chunk[c].next == WAIT));
#if MUTANT == 5
                result = ACCEPTED;
#else
                if :: chunk[c].next == WAIT -> result = AWAITED :: else -> result = ACCEPTED fi;
#endif
                chunk[c].next = fresh
             fi;
             fresh = NONE; won = false
           }
        :: else
        fi
     fi
  :: result != 0 -> break
  od;
  atomic { c = 0; i = 0; shut = false; won = false };
#if MUTANT == 1
  if :: result == AWAITED -> result = ACCEPTED :: else fi;
#endif
#if MUTANT == 7
  if :: result == AWAITED -> skip :: else -> tell() fi;
#else
  if :: own && result == ACCEPTED :: else -> tell() fi;
#endif
  atomic {
    pushed++;
    if
    :: result >= REFUSED -> refused = refused | (1 << (t))
    :: else -> returned = returned | (1 << (t)); assert(!outside || !late[t])
    fi;
    result = 0
  };
  /* a fresh chunk that lost its race goes back */
  atomic { if :: fresh != NONE -> release(fresh); fresh = NONE :: else fi }
}

proctype Producer(byte t; byte count; bool outside) {
  byte c, i, fresh, old, result; bool shut, won;
  do
  :: count > 0 -> push(t, outside, false); atomic { t++; count-- }
  :: else -> break
  od
}

proctype Runner() {
  byte old, w, wi, c, i, fresh, result, t; bool shut, won;
#if CASE == 4
  byte mine = 2;                                 /* the next task of its own */
#endif
end:
  atomic { entries?1; assert(SCHED && !RUN); RUN = true }
next:
  atomic {
    if
    :: headChunk == NONE && first != NONE -> headChunk = first; headIndex = 0; first = NONE
    :: headChunk != NONE && headIndex == CAP && chunk[headChunk].next != NONE && chunk[headChunk].next != WAIT ->
       w = headChunk; headChunk = chunk[w].next; headIndex = 0; release(w); w = 0
    :: else
    fi;
    if
    :: headChunk == NONE -> goto leave
    :: headChunk != NONE && headIndex < CAP && chunk[headChunk].slot[headIndex] >= VOID ->
       old = chunk[headChunk].slot[headIndex]; headIndex++;
       if
       :: old >= TASK ->
          t = old - TASK;
          assert(!(taken & (1 << t)) && !(refused & (1 << t)) && (taken & must[t]) == must[t]);
          taken = taken | (1 << t)
       :: else
       fi
    :: else -> goto settle
    fi;
    t = 0; old = 0
  };
#if CASE == 4
  /* the task that was taken submits to its own queue */
  if
  :: mine < 4 -> push(mine, false, true); mine++
  :: else
  fi;
#endif
  goto next;
settle:
  atomic { w = tailChunk; wi = tailIndex; shut = CLOSED };
#if MUTANT == 8
  if
  :: w == headChunk && wi == headIndex ->
#else
  if
  :: w == headChunk && (wi == headIndex || (wi > CAP && headIndex == CAP)) ->
#endif
#if MUTANT == 2
     won = true; tailChunk = NONE; tailIndex = 0;
#else
     atomic {
       won = (tailChunk == w && tailIndex == wi && CLOSED == shut);
       if :: won -> tailChunk = NONE; tailIndex = 0 :: else fi
     };
#endif
     if
     :: won -> atomic { release(w); headChunk = NONE; headIndex = 0; won = false; w = 0; wi = 0; shut = false; goto leave }
     :: else ->
#if MUTANT == 9
        skip
#else
        atomic { w = 0; wi = 0; shut = false; goto settle }
#endif
     fi
  :: else
  fi;
  atomic { w = 0; wi = 0; shut = false };
#if MUTANT == 1
  goto settled;
#endif
#if MUTANT == 3
  if
  :: headIndex == CAP && chunk[headChunk].next == NONE -> atomic { w = headChunk; headChunk = NONE; headIndex = 0; release(w); w = 0; goto leave }
  :: else
  fi;
#endif
  atomic {
    if
    :: headIndex < CAP && chunk[headChunk].slot[headIndex] == EMPTY -> chunk[headChunk].slot[headIndex] = WAITING
    :: headIndex < CAP && chunk[headChunk].slot[headIndex] >= VOID -> goto next
    :: headIndex == CAP && chunk[headChunk].next == NONE -> chunk[headChunk].next = WAIT
    :: headIndex == CAP && chunk[headChunk].next != NONE && chunk[headChunk].next != WAIT -> goto next
    :: else
    fi
  };
settled:
  /* late */
  atomic { if :: AGAIN -> AGAIN = false; goto next :: else -> SCHED = false; RUN = false; goto end fi };
leave:
  /* empty */
  atomic { if :: AGAIN -> AGAIN = false; goto next :: else -> SCHED = false; RUN = false fi };
#if MUTANT != 4
  if :: first != NONE -> result = ACCEPTED; tell(); result = 0 :: else fi;
#endif
  goto end
}

proctype Closer() { CLOSED = true; closeReturned = true }

init {
  atomic {
    run Runner();
#if CASE == 1
    run Producer(0, 2, false); run Producer(2, 2, false)
#elif CASE == 2
    run Producer(0, 2, false); run Producer(2, 1, false)
#elif CASE == 3
    run Producer(0, 1, true); run Producer(2, 2, true); run Closer()
#elif CASE == 6
    run Producer(0, 4, true); run Closer()
#elif CASE == 4
    run Producer(0, 2, false)
#else
    run Runner(); run Producer(0, 2, false); run Producer(2, 1, false)
#endif
  }
  timeout;
  assert(taken == returned && (taken & refused) == 0);
  assert(tailChunk == NONE && headChunk == NONE && first == NONE);
  assert(alive == 0 && !SCHED && !RUN)
}
