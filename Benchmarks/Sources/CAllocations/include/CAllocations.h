// Counts what a program allocates. Linking this into a program puts its `malloc` and the like before the C library's.
#pragma once

#include <stdint.h>

/// How often memory was asked for since the process began, by any thread: malloc, calloc, realloc and aligned memory.
uint64_t bench_allocations(void);
