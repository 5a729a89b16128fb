// The floor of the task benchmarks: `tasks-c WORKLOAD` warms up, runs the workload and reports nanoseconds per
// operation.
#include "tasks.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "CSupport.h"

static const struct {
  const char *name;
  size_t (*run)(void);
} workloads[] = {
    {"W1", global_fresh},
    {"W2.fresh", serial_fresh},
    {"W2.reused", serial_reused},
    {"W3.p1.fresh", foreign_one_fresh},
    {"W3.p1.reused", foreign_one_reused},
    {"W3.p2.fresh", foreign_two_fresh},
    {"W3.p2.reused", foreign_two_reused},
    {"W4.threads", hop_between_threads},
};

int main(int argc, char **argv) {
  for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
    if (argc != 2 || strcmp(argv[1], workloads[i].name) != 0) continue;
    workloads[i].run();
    uint64_t begin = bench_now();
    size_t operations = workloads[i].run();
    bench_report("ns-per-op", (double)(bench_now() - begin) / (double)operations);
    return 0;
  }
  fprintf(stderr, "usage: tasks-c WORKLOAD; the workloads are:\n");
  for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) fprintf(stderr, "  %s\n", workloads[i].name);
  return 2;
}
