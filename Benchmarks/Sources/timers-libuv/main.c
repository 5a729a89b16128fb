// The timer benchmark on libuv, whose timers are exact to a millisecond.
#include <stdlib.h>
#include <uv.h>

#include "CSupport.h"
#include "Timers.h"

static bench_timers *timers;
static uv_timer_t **handles;

static void fired(uv_timer_t *handle) {
  if (bench_timers_fired(timers, (size_t)handle->data)) uv_stop(handle->loop);
}

static void arm(size_t index, uint32_t delay) {
  if (!handles[index]) {
    handles[index] = malloc(sizeof *handles[index]);
    uv_timer_init(uv_default_loop(), handles[index]);
    handles[index]->data = (void *)index;
  }
  // Rounded up: its clock has no finer steps.
  if (uv_timer_start(handles[index], fired, (delay + 999) / 1000, 0) < 0) bench_fail("arming a timer");
}

int main(int argc, char **argv) {
  timers = bench_timers_make(argc, argv);
  handles = calloc(timers->count, sizeof *handles);

  bench_timers_begin(timers);
  for (size_t i = 0; i < timers->count; i++) arm(i, timers->far_delays[i]);
  bench_timers_inserted(timers);
  for (size_t i = 0; i < timers->count; i++) uv_timer_stop(handles[timers->order[i]]);
  bench_timers_cancelled(timers);
  if (bench_number(argc, argv, "fire", 1) == 0) return 0;

  for (size_t i = 0; i < timers->count; i++) {
    // Delays count from the loop's idea of the time, which must not be old.
    uv_update_time(uv_default_loop());
    bench_timers_arming(timers, i);
    arm(i, timers->near_delays[i]);
  }
  bench_timers_all_armed(timers);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  bench_timers_report(timers);
  return 0;
}
