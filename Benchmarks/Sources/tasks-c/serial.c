// W2: one thread, one ring of tasks that post themselves again.
#include <stdlib.h>

#include "tasks.h"

enum { SLOTS = 1024 };

static task *ring[SLOTS];
static size_t head, tail;

static void push(task *posted) { ring[tail++ % SLOTS] = posted; }

static void step_fresh(task *self) {
  if (self->left > 1) {
    task *next = malloc(sizeof *next);
    *next = (task){step_fresh, self->left - 1};
    push(next);
  }
  free(self);
}

static void step_reused(task *self) {
  if (--self->left > 0) {
    push(self);
  } else {
    free(self);
  }
}

static size_t run(void (*step)(task *)) {
  for (int i = 0; i < CHAINS; i++) {
    task *first = malloc(sizeof *first);
    *first = (task){step, CHAIN_LENGTH};
    push(first);
  }
  while (head != tail) {
    task *next = ring[head++ % SLOTS];
    next->run(next);
  }
  return CHAINS * CHAIN_LENGTH;
}

size_t serial_fresh(void) { return run(step_fresh); }
size_t serial_reused(void) { return run(step_reused); }
