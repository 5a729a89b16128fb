#ifndef CLINUX_H
#define CLINUX_H
// What the Glibc module of the toolchain lacks.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/signalfd.h>
#include <sys/vfs.h>

#include "hawt_accept4.h"

// glibc declares the flags below as anonymous enumerations and the masks as an enumeration whose members carry a
// cast in Swift; plain constants of the type that the calls take keep the casts out of the code that uses them.
static const int hawt_epoll_cloexec = EPOLL_CLOEXEC;
static const unsigned int hawt_epoll_in = EPOLLIN;
static const unsigned int hawt_epoll_out = EPOLLOUT;
static const unsigned int hawt_epoll_err = EPOLLERR;
static const unsigned int hawt_epoll_hup = EPOLLHUP;
static const int hawt_eventfd_flags = EFD_CLOEXEC | EFD_NONBLOCK;
static const int hawt_timerfd_flags = TFD_CLOEXEC | TFD_NONBLOCK;
static const int hawt_timerfd_absolute = TFD_TIMER_ABSTIME;

// linux/magic.h would be needed for this one number alone.
static const long hawt_pipefs_magic = 0x50495045;
#include <sched.h>
#include <signal.h>

// The worker that the calling thread is, or null. A thread-local that the compiler knows costs one load; the
// POSIX key functions cost a call each.
extern _Thread_local void *hawt_current_worker;
static inline void *hawt_get_current_worker(void) { return hawt_current_worker; }
static inline void hawt_set_current_worker(void *worker) { hawt_current_worker = worker; }

// Tells the processor that this is a spin loop, so that its sibling gets on.
static inline void hawt_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

// Fetches the line of an address ahead of its use; any address may be given.
static inline void hawt_prefetch(const void *address) { __builtin_prefetch(address); }

// 15 bytes at most.
void hawt_name_this_thread(const char *name);

// Makes the plain stores of every running thread of the process visible before it returns.
void hawt_barrier_in_all_threads(void);

// The eventfds that a signal is announced to. A handler may run at any instruction of any thread, so the table is plain
// atomics. Taking a slot that is taken for the same descriptor changes nothing. -1: no such signal; -2: no slot left.
struct sigaction;
int hawt_signal_slot_take(int signal, int descriptor);
// 0 if that was the signal's last slot, 1 if others are left, -1 if it was not taken.
int hawt_signal_slot_free(int signal, int descriptor);
int hawt_signal_install(int signal, struct sigaction *former);

// Takes a reference to a Swift object, here and now: the optimizer moves an ordinary retain past an atomic store, and so
// out of a lock that is a bit in a word; it can neither see into this function nor move the call.
void hawt_retain(const void *object);

// Several references at once.
void hawt_retain_n(const void *object, unsigned count);
void hawt_release_n(const void *object, unsigned count);

// Takes a reference to a Swift object unless its deinitializer has begun; whether it was taken. The object's memory must
// be there.
_Bool hawt_retain_if_alive(void *object);

// mremap takes a variable number of arguments, which Swift cannot call. The pages may move; null if there is no room.
void *hawt_remap(void *pages, size_t bytes, size_t wanted);

// CPU_SET and CPU_COUNT are macros, which Swift cannot import.
int hawt_affinity_count(int thread);
int hawt_bind_to_nth_cpu(int n);
#endif
