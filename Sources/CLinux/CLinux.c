#define _GNU_SOURCE
#include "CLinux.h"
#include <errno.h>
#include <pthread.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

_Thread_local void *hawt_current_worker = 0;

// How many CPUs the affinity mask of a thread has, or 0 if the system does not say; 0 is the calling thread, the process's
// number its main one.
int hawt_affinity_count(int thread) {
  cpu_set_t set;
  if (sched_getaffinity(thread, sizeof set, &set) != 0) return 0;
  return CPU_COUNT(&set);
}

// Binds the calling thread to the n-th CPU of its mask, modulo their number. 0, or -1 with errno.
int hawt_bind_to_nth_cpu(int n) {
  cpu_set_t set, one;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return -1;
  int count = CPU_COUNT(&set);
  if (count == 0) return -1;
  n %= count;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &set) || n-- > 0) continue;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    return sched_setaffinity(0, sizeof one, &one);
  }
  return -1;
}

// Where a sandbox knows no membarrier: taking a right away from a page that has been written makes the kernel interrupt
// every CPU that runs a thread of the process, which is a barrier there.
static void barrier_by_page(void) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static volatile char *page = 0;
  size_t size = (size_t)sysconf(_SC_PAGESIZE);
  pthread_mutex_lock(&lock);
  if (page == 0) {
    void *made = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made != MAP_FAILED) page = made;
  }
  if (page == 0 || mprotect((void *)page, size, PROT_READ | PROT_WRITE) != 0) abort();
  *page += 1;
  if (mprotect((void *)page, size, PROT_READ) != 0) abort();
  pthread_mutex_unlock(&lock);
}

void hawt_barrier_in_all_threads(void) {
  // The expedited form has to be registered first; where it is not known, the slow form is.
  syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
  if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0) return;
  if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0) return;
  barrier_by_page();
}

// A descriptor plus one, so that zero is a free slot. A slot for each source of a signal; the handler looks at all, so there
// is a limit.
enum { signals = 65, slots = 256 };
static _Atomic int signal_slots[signals][slots];
// The process whose slots these are: a forked child inherits the table and the handler, not the sources.
static _Atomic pid_t signal_owner;
// How many handlers are at work.
static _Atomic int announcing;

// A child that takes a slot of its own begins with an empty table. The caller holds the registry's lock.
static void own_slots(void) {
  pid_t self = getpid();
  if (signal_owner == self) return;
  for (int i = 0; i < signals; i++)
    for (int j = 0; j < slots; j++) signal_slots[i][j] = 0;
  // Those of the parent's other threads are not in this process.
  announcing = 0;
  signal_owner = self;
}

int hawt_signal_slot_take(int signal, int descriptor) {
  if (signal < 1 || signal >= signals) return -1;
  own_slots();
  for (int i = 0; i < slots; i++)
    if (signal_slots[signal][i] == descriptor + 1) return 0;
  for (int i = 0; i < slots; i++) {
    int expected = 0;
    if (__c11_atomic_compare_exchange_strong(&signal_slots[signal][i], &expected, descriptor + 1, __ATOMIC_SEQ_CST,
                                             __ATOMIC_SEQ_CST))
      return 0;
  }
  return -2;
}

int hawt_signal_slot_free(int signal, int descriptor) {
  if (signal < 1 || signal >= signals) return -1;
  int found = 0, left = 0;
  for (int i = 0; i < slots; i++) {
    int expected = descriptor + 1;
    if (__c11_atomic_compare_exchange_strong(&signal_slots[signal][i], &expected, 0, __ATOMIC_SEQ_CST,
                                             __ATOMIC_SEQ_CST))
      found = 1;
    else if (expected != 0)
      left = 1;
  }
  // A handler that has read the slot may not have written yet, and the descriptor is about to be closed, its number another's.
  if (getpid() == signal_owner)
    while (announcing != 0) sched_yield();
  return found ? left : -1;
}

static void announce(int signal) {
  if (getpid() != signal_owner) return;
  int kept = errno;
  uint64_t one = 1;
  announcing++;
  for (int i = 0; i < slots; i++) {
    int descriptor = signal_slots[signal][i] - 1;
    // A full counter has been announced already.
    if (descriptor >= 0 && write(descriptor, &one, sizeof one) < 0) continue;
  }
  announcing--;
  errno = kept;
}

int hawt_signal_install(int signal, struct sigaction *former) {
  struct sigaction action = {0};
  action.sa_handler = announce;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  return sigaction(signal, &action, former);
}

void hawt_name_this_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

// Of the Swift runtime; the last is what loads of weak references are made of.
extern void *swift_retain(void *object);
extern void *swift_retain_n(void *object, uint32_t count);
extern void swift_release_n(void *object, uint32_t count);
extern void *swift_tryRetain(void *object);

void hawt_retain(const void *object) { swift_retain((void *)object); }

void hawt_retain_n(const void *object, unsigned count) { swift_retain_n((void *)object, count); }

void *hawt_remap(void *pages, size_t bytes, size_t wanted) {
  void *moved = mremap(pages, bytes, wanted, MREMAP_MAYMOVE);
  return moved == MAP_FAILED ? NULL : moved;
}

void hawt_release_n(const void *object, unsigned count) { swift_release_n((void *)object, count); }

_Bool hawt_retain_if_alive(void *object) { return swift_tryRetain(object) != 0; }
