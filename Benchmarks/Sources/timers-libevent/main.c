// The floor of the timer benchmark: libevent's timers, one thread.
#include <stdlib.h>
#include <sys/time.h>
#include <sys/types.h>

#include <event2/event.h>

#include "CSupport.h"
#include "Timers.h"

static bench_timers *timers;
static struct event_base *base;
static struct event **events;

static void fired(evutil_socket_t none, short what, void *index) {
  (void)none, (void)what;
  if (bench_timers_fired(timers, (size_t)index)) event_base_loopbreak(base);
}

static void arm(size_t index, uint32_t delay) {
  struct timeval after = {delay / 1000000, delay % 1000000};
  if (!events[index]) events[index] = evtimer_new(base, fired, (void *)index);
  if (!events[index] || evtimer_add(events[index], &after) < 0) bench_fail("arming a timer");
}

int main(int argc, char **argv) {
  timers = bench_timers_make(argc, argv);
  events = calloc(timers->count, sizeof *events);
  struct event_config *config = event_config_new();
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV | EVENT_BASE_FLAG_PRECISE_TIMER);
  base = event_base_new_with_config(config);
  if (!base) bench_fail("making an event base");

  bench_timers_begin(timers);
  for (size_t i = 0; i < timers->count; i++) arm(i, timers->far_delays[i]);
  bench_timers_inserted(timers);
  for (size_t i = 0; i < timers->count; i++) evtimer_del(events[timers->order[i]]);
  bench_timers_cancelled(timers);
  if (bench_number(argc, argv, "fire", 1) == 0) return 0;

  for (size_t i = 0; i < timers->count; i++) {
    bench_timers_arming(timers, i);
    arm(i, timers->near_delays[i]);
  }
  bench_timers_all_armed(timers);
  event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY);
  bench_timers_report(timers);
  return 0;
}
