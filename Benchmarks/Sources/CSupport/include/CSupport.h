// What the C programs of the benchmarks share. The Swift programs use the same functions where that keeps the peers
// alike: one way to listen, one clock, one way to answer the runner.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "Timers.h"

/// Nanoseconds of the monotonic clock.
uint64_t bench_now(void);

/// CPU time that the process has used, all threads, in nanoseconds.
uint64_t bench_cpu_time(void);

/// Bytes that malloc has handed out and not got back, over all arenas.
uint64_t bench_allocated_bytes(void);

/// Writable memory that is the kernel's and not the allocator's, the stacks of threads included.
uint64_t bench_mapped_bytes(void);

/// Threads that the process has now.
int bench_thread_count(void);

/// Says what failed and why, with errno, and exits.
_Noreturn void bench_fail(const char *what);

/// The value of `--name VALUE` on the command line, or `missing` if it is not there.
const char *bench_option(int argc, char **argv, const char *name, const char *missing);
double bench_number(int argc, char **argv, const char *name, double missing);

/// Prints `key value`, as the runner reads it.
void bench_report(const char *key, double value);

/// Lets standard output leave line by line, even into a pipe.
void bench_buffer_lines(void);

/// A non-blocking listener on a free port of the loopback interface, which is printed for the runner.
int bench_listen(void);

/// Sets TCP_NODELAY, so that 64 bytes leave at once.
void bench_no_delay(int descriptor);

/// Starts a thread that answers the runner's commands on standard input and ends the process at its end.
/// `memory` is answered with the bytes that malloc has handed out, `cpu` with the CPU time so far in seconds.
/// Any other line goes to `obey`, if there is one, whose answer is sent back.
void bench_serve_commands(double (*obey)(const char *command));

/// A socket that can be watched and is never ready to be read. Its peer stays open.
int bench_quiet_socket(void);

/// A socket that holds one byte and whose peer's number is stored in `peer`: whoever reads the byte and writes it to the peer
/// makes it ready again.
int bench_ready_socket(int *peer);

/// A descriptor that is ready to be read once 8 bytes were written to it, until they are read.
int bench_event_descriptor(void);

/// Lets the process, and what it starts, have as many descriptors as it may; returns how many.
int bench_raise_descriptor_limit(void);

/// Counts of latencies in nanoseconds, each bucket 1/64 of its power of two wide: percentiles are exact to 1.6%.
#define BENCH_HISTOGRAM_BUCKETS (64 * 64)
typedef struct {
  uint64_t counts[BENCH_HISTOGRAM_BUCKETS];
  uint64_t total;
  uint64_t largest;
} bench_histogram;

void bench_histogram_add(bench_histogram *histogram, uint64_t nanoseconds);
/// The value that a share of `fraction` (0 to 1) of the counts does not exceed.
uint64_t bench_histogram_quantile(const bench_histogram *histogram, double fraction);

/// Keeps the calling thread, and what it starts, on one CPU; -1: on all that it was allowed at first.
void bench_pin(int cpu);
/// The `index`-th CPU that the process may use, or -1 if it may use fewer.
int bench_usable_cpu(int index);
