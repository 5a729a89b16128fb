// The timer workload, the same for every peer: arm many far ahead, cancel them in another order, then arm many that
// fall due within a second.
//
//   --count 100000   how many
//   --fire 1         whether to let them fall due; without, only arming, cancelling and memory are measured
#pragma once

#include <stddef.h>
#include <stdint.h>

/// How far ahead the timers that will be cancelled are, and how far the ones that fire begin and are spread.
enum { BENCH_FAR_MS = 20000, BENCH_LEAD_MS = 400, BENCH_SPREAD_MS = 1000 };

typedef struct {
  size_t count;
  /// A delay for each timer in microseconds, random but the same in every run.
  uint32_t *far_delays;
  uint32_t *near_delays;
  /// The numbers of the timers, shuffled.
  uint32_t *order;
  /// When each timer that fires was due, and how late each was.
  uint64_t *due;
  int64_t *lateness;
  size_t fired;
  /// Marks of the running measurement.
  uint64_t began, cpu_began, bytes_began;
} bench_timers;

bench_timers *bench_timers_make(int argc, char **argv);

/// Around arming and cancelling: each prints what it took.
void bench_timers_begin(bench_timers *timers);
void bench_timers_inserted(bench_timers *timers);
void bench_timers_cancelled(bench_timers *timers);

/// When the timer that is armed now with its near delay will be due; kept for its lateness.
void bench_timers_arming(bench_timers *timers, size_t index);
/// The CPU time of firing counts from here.
void bench_timers_all_armed(bench_timers *timers);
/// From the timer's handler; returns whether it was the last one.
int bench_timers_fired(bench_timers *timers, size_t index);
/// Prints the CPU time per fired timer and the latenesses.
void bench_timers_report(bench_timers *timers);
