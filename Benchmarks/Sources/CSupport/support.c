#include "CSupport.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static uint64_t nanoseconds(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

uint64_t bench_now(void) { return nanoseconds(CLOCK_MONOTONIC); }

uint64_t bench_cpu_time(void) { return nanoseconds(CLOCK_PROCESS_CPUTIME_ID); }

uint64_t bench_allocated_bytes(void) {
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

uint64_t bench_mapped_bytes(void) {
  FILE *file = fopen("/proc/self/statm", "r");
  unsigned long data;
  if (!file || fscanf(file, "%*u %*u %*u %*u %*u %lu", &data) != 1) bench_fail("reading /proc/self/statm");
  fclose(file);
  struct mallinfo2 info = mallinfo2();
  return data * (uint64_t)sysconf(_SC_PAGESIZE) - info.arena - info.hblkhd;
}

int bench_thread_count(void) {
  FILE *status = fopen("/proc/self/status", "r");
  if (!status) bench_fail("opening /proc/self/status");
  char line[256];
  int count = 0;
  while (fgets(line, sizeof line, status)) {
    if (sscanf(line, "Threads: %d", &count) == 1) break;
  }
  fclose(status);
  return count;
}

_Noreturn void bench_fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

const char *bench_option(int argc, char **argv, const char *name, const char *missing) {
  for (int i = 1; i + 1 < argc; i++) {
    if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, name) == 0) return argv[i + 1];
  }
  return missing;
}

double bench_number(int argc, char **argv, const char *name, double missing) {
  const char *text = bench_option(argc, argv, name, NULL);
  if (!text) return missing;
  char *end;
  double value = strtod(text, &end);
  if (end == text || *end) {
    fprintf(stderr, "--%s takes a number, not '%s'\n", name, text);
    exit(2);
  }
  return value;
}

void bench_report(const char *key, double value) {
  printf("%s %.17g\n", key, value);
  fflush(stdout);
}

void bench_buffer_lines(void) { setvbuf(stdout, NULL, _IOLBF, 0); }

static double (*obey_command)(const char *);

static void *serve_commands(void *ignored) {
  (void)ignored;
  char line[64];
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    if (strcmp(line, "memory") == 0) {
      bench_report("memory", (double)bench_allocated_bytes());
    } else if (strcmp(line, "cpu") == 0) {
      bench_report("cpu", (double)bench_cpu_time() / 1e9);
    } else if (obey_command) {
      bench_report(line, obey_command(line));
    } else {
      fprintf(stderr, "unknown command '%s'\n", line);
    }
  }
  // The runner is done with this program, or gone; nothing here is worth an orderly end.
  _exit(0);
}

void bench_serve_commands(double (*obey)(const char *command)) {
  obey_command = obey;
  pthread_t thread;
  errno = pthread_create(&thread, NULL, serve_commands, NULL);
  if (errno) bench_fail("starting the command thread");
  pthread_detach(thread);
}

int bench_event_descriptor(void) {
  int descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (descriptor < 0) bench_fail("making an eventfd");
  return descriptor;
}

int bench_raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) bench_fail("asking for the descriptor limit");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) < 0) bench_fail("raising the descriptor limit");
  return limit.rlim_cur > 1000000 ? 1000000 : (int)limit.rlim_cur;
}
