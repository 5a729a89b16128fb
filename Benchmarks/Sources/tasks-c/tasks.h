// The task workloads in C. Each runs once and returns how many operations that were.
#pragma once

#include <stddef.h>

size_t hop_between_threads(void);
