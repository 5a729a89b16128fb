// W1: two threads share one bounded ring, in which every slot has a turn number: a thread takes a position with one
// atomic operation and then owns the slot until it sets the next turn.
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "CSupport.h"
#include "tasks.h"

enum { SLOTS = 4096, WORKERS = 2 };

typedef struct {
  _Atomic size_t turn;
  task *task;
} slot;

static slot ring[SLOTS];
static _Alignas(64) _Atomic size_t head;
static _Alignas(64) _Atomic size_t tail;
static _Alignas(64) _Atomic int chains_left;

static void push(task *posted) {
  size_t position = atomic_fetch_add_explicit(&tail, 1, memory_order_relaxed);
  slot *at = &ring[position % SLOTS];
  while (atomic_load_explicit(&at->turn, memory_order_acquire) != position) {}
  at->task = posted;
  atomic_store_explicit(&at->turn, position + 1, memory_order_release);
}

static task *pop(void) {
  size_t position = atomic_load_explicit(&head, memory_order_relaxed);
  for (;;) {
    slot *at = &ring[position % SLOTS];
    size_t turn = atomic_load_explicit(&at->turn, memory_order_acquire);
    if (turn == position + 1) {
      if (!atomic_compare_exchange_weak(&head, &position, position + 1)) continue;
      task *taken = at->task;
      atomic_store_explicit(&at->turn, position + SLOTS, memory_order_release);
      return taken;
    }
    if ((intptr_t)(turn - position) <= 0) return NULL;
    position = atomic_load_explicit(&head, memory_order_relaxed);
  }
}

static void step(task *self) {
  if (self->left == 1) {
    atomic_fetch_sub(&chains_left, 1);
    return;
  }
  task *next = malloc(sizeof *next);
  *next = (task){step, self->left - 1};
  push(next);
}

static void *work(void *ignored) {
  (void)ignored;
  while (atomic_load_explicit(&chains_left, memory_order_relaxed) > 0) {
    task *next = pop();
    if (!next) continue;
    next->run(next);
    free(next);
  }
  return NULL;
}

size_t global_fresh(void) {
  for (size_t i = 0; i < SLOTS; i++) atomic_store(&ring[i].turn, i);
  atomic_store(&head, 0);
  atomic_store(&tail, 0);
  atomic_store(&chains_left, CHAINS);
  for (int i = 0; i < CHAINS; i++) {
    task *first = malloc(sizeof *first);
    *first = (task){step, CHAIN_LENGTH};
    push(first);
  }
  pthread_t threads[WORKERS];
  for (int i = 0; i < WORKERS; i++) {
    errno = pthread_create(&threads[i], NULL, work, NULL);
    if (errno) bench_fail("starting a thread");
  }
  for (int i = 0; i < WORKERS; i++) pthread_join(threads[i], NULL);
  return CHAINS * CHAIN_LENGTH;
}
