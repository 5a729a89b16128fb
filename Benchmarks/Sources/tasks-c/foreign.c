// W3: producers push to a linked list with one exchange; the consumer sleeps on a futex when it is empty.
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "CSupport.h"
#include "tasks.h"

enum { POSTS = 1000000, MOST_PRODUCERS = 2 };

typedef struct node {
  struct node *_Atomic next;
  task task;
} node;

static node stub;
static _Alignas(64) node *_Atomic newest;
static _Alignas(64) _Atomic uint32_t sleeping;
static _Alignas(64) node *oldest;
static size_t ran;
static bool is_fresh;
static size_t posts_each;
static node *arenas[MOST_PRODUCERS];

static void count(task *self) {
  (void)self;
  ran++;
}

static void push(node *posted) {
  atomic_store_explicit(&posted->next, NULL, memory_order_relaxed);
  node *before = atomic_exchange(&newest, posted);
  atomic_store_explicit(&before->next, posted, memory_order_release);
  if (atomic_load(&sleeping) && atomic_exchange(&sleeping, 0)) {
    syscall(SYS_futex, &sleeping, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  }
}

/// Announces the sleep, looks again, and sleeps.
static void sleep_if_empty(void) {
  atomic_store(&sleeping, 1);
  if (atomic_load(&newest) == oldest) {
    syscall(SYS_futex, &sleeping, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
  }
  atomic_store(&sleeping, 0);
}

static void *consume(void *total) {
  while (ran < (size_t)total) {
    node *next = atomic_load_explicit(&oldest->next, memory_order_acquire);
    if (!next) {
      sleep_if_empty();
      continue;
    }
    next->task.run(&next->task);
    // The list keeps its last node, so the one before is freed.
    if (is_fresh && oldest != &stub) free(oldest);
    oldest = next;
  }
  return NULL;
}

static void *produce(void *arena) {
  for (size_t i = 0; i < posts_each; i++) {
    node *posted = is_fresh ? malloc(sizeof *posted) : &((node *)arena)[i];
    posted->task.run = count;
    push(posted);
  }
  return NULL;
}

static void start(pthread_t *thread, void *(*body)(void *), void *argument) {
  errno = pthread_create(thread, NULL, body, argument);
  if (errno) bench_fail("starting a thread");
}

static size_t run(int producers, bool fresh) {
  is_fresh = fresh;
  posts_each = POSTS / (size_t)producers;
  stub.next = NULL;
  newest = oldest = &stub;
  ran = 0;
  // The first, warming run makes the memory; later ones find it there.
  for (int i = 0; i < producers && !fresh; i++) {
    if (!arenas[i]) arenas[i] = calloc(posts_each, sizeof(node));
  }
  pthread_t consumer, threads[MOST_PRODUCERS];
  start(&consumer, consume, (void *)(posts_each * (size_t)producers));
  for (int i = 0; i < producers; i++) start(&threads[i], produce, arenas[i]);
  for (int i = 0; i < producers; i++) pthread_join(threads[i], NULL);
  pthread_join(consumer, NULL);
  return posts_each * (size_t)producers;
}

size_t foreign_one_fresh(void) { return run(1, true); }
size_t foreign_one_reused(void) { return run(1, false); }
size_t foreign_two_fresh(void) { return run(2, true); }
size_t foreign_two_reused(void) { return run(2, false); }
