#include "Timers.h"

#include <stdlib.h>

#include "CSupport.h"

static uint64_t random_number(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static void *array(size_t count, size_t size) {
  void *made = calloc(count, size);
  if (!made) bench_fail("getting memory");
  return made;
}

bench_timers *bench_timers_make(int argc, char **argv) {
  bench_timers *timers = array(1, sizeof *timers);
  timers->count = (size_t)bench_number(argc, argv, "count", 100000);
  timers->far_delays = array(timers->count, sizeof *timers->far_delays);
  timers->near_delays = array(timers->count, sizeof *timers->near_delays);
  timers->order = array(timers->count, sizeof *timers->order);
  timers->due = array(timers->count, sizeof *timers->due);
  timers->lateness = array(timers->count, sizeof *timers->lateness);
  uint64_t state = 88172645463325252u;
  for (size_t i = 0; i < timers->count; i++) {
    timers->far_delays[i] = BENCH_FAR_MS * 1000 + (uint32_t)(random_number(&state) % (BENCH_FAR_MS * 1000));
    timers->near_delays[i] = BENCH_LEAD_MS * 1000 + (uint32_t)(random_number(&state) % (BENCH_SPREAD_MS * 1000));
    size_t other = random_number(&state) % (i + 1);
    timers->order[i] = timers->order[other];
    timers->order[other] = (uint32_t)i;
  }
  return timers;
}

void bench_timers_begin(bench_timers *timers) {
  timers->bytes_began = bench_allocated_bytes() + bench_mapped_bytes();
  timers->began = bench_now();
}

void bench_timers_inserted(bench_timers *timers) {
  double count = (double)timers->count;
  bench_report("insert-ns", (double)(bench_now() - timers->began) / count);
  bench_report("bytes", ((double)(bench_allocated_bytes() + bench_mapped_bytes()) - (double)timers->bytes_began) / count);
  timers->began = bench_now();
}

void bench_timers_cancelled(bench_timers *timers) {
  bench_report("cancel-ns", (double)(bench_now() - timers->began) / (double)timers->count);
}

void bench_timers_arming(bench_timers *timers, size_t index) {
  timers->due[index] = bench_now() + (uint64_t)timers->near_delays[index] * 1000;
}

void bench_timers_all_armed(bench_timers *timers) { timers->cpu_began = bench_cpu_time(); }

int bench_timers_fired(bench_timers *timers, size_t index) {
  timers->lateness[timers->fired++] = (int64_t)(bench_now() - timers->due[index]);
  return timers->fired == timers->count;
}

static int ascending(const void *left, const void *right) {
  int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
  return (a > b) - (a < b);
}

void bench_timers_report(bench_timers *timers) {
  double count = (double)timers->count;
  bench_report("fired-cpu-us", (double)(bench_cpu_time() - timers->cpu_began) / count / 1000);
  qsort(timers->lateness, timers->count, sizeof *timers->lateness, ascending);
  bench_report("late-p50-ms", (double)timers->lateness[timers->count / 2] / 1e6);
  bench_report("late-p99-ms", (double)timers->lateness[timers->count * 99 / 100] / 1e6);
  bench_report("earliest-ms", (double)timers->lateness[0] / 1e6);
}
