// The task workloads in C. Each runs once and returns how many operations that were.
#pragma once

#include <stddef.h>

/// W1: chains of tasks on a queue that two threads share, each task allocated.
size_t global_fresh(void);

/// W2: the same on one thread; each task allocated, or the same one again.
size_t serial_fresh(void);
size_t serial_reused(void);

/// W3: producers hand tasks to one consumer; each task allocated, or taken from memory that is there already.
size_t foreign_one_fresh(void);
size_t foreign_one_reused(void);
size_t foreign_two_fresh(void);
size_t foreign_two_reused(void);

/// W4: two threads with an epoll instance each.
size_t hop_between_threads(void);

enum { CHAINS = 1000, CHAIN_LENGTH = 1000 };

/// A task: what runs, and how often it still posts itself again.
typedef struct task {
  void (*run)(struct task *);
  int left;
} task;
