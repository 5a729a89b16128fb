#include "CSupport.h"

#include <pthread.h>
#include <sched.h>

static cpu_set_t allowed;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void remember_allowed(void) {
  if (sched_getaffinity(0, sizeof allowed, &allowed) < 0) bench_fail("asking for the usable CPUs");
}

void bench_pin(int cpu) {
  pthread_once(&once, remember_allowed);
  cpu_set_t set = allowed;
  if (cpu >= 0) {
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
  }
  if (sched_setaffinity(0, sizeof set, &set) < 0) bench_fail("choosing a CPU");
}

int bench_usable_cpu(int index) {
  pthread_once(&once, remember_allowed);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (CPU_ISSET(cpu, &allowed) && index-- == 0) return cpu;
  }
  return -1;
}
