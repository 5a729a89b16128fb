// The floor of the libevent backend: libevent's events as they are, one thread, no bufferevent. One read and one write
// per readiness, as every peer does.
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <unistd.h>

#include <event2/event.h>

#include "CSupport.h"

enum { ACCEPTS_PER_TURN = 32 };

static char buffer[64 * 1024];

static void echo(evutil_socket_t connection, short what, void *context) {
  (void)what;
  ssize_t count = read(connection, buffer, sizeof buffer);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  // The client sends the next message only when it has the last one, so the kernel always has room for 64 bytes.
  if (count > 0 && send(connection, buffer, (size_t)count, MSG_NOSIGNAL) == count) return;
  event_free(context);
  close(connection);
}

static void accept_some(evutil_socket_t listener, short what, void *base) {
  (void)what;
  for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
    int connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (connection < 0) {
      if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) return;
      bench_fail("accepting");
    }
    bench_no_delay(connection);
    struct event *event = event_new(base, connection, EV_READ | EV_PERSIST, echo, event_self_cbarg());
    if (!event || event_add(event, NULL) < 0) bench_fail("adding to libevent");
  }
}

int main(void) {
  bench_serve_commands(NULL);
  struct event_config *config = event_config_new();
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
  struct event_base *base = event_base_new_with_config(config);
  if (!base) bench_fail("making an event base");
  struct event *listening = event_new(base, bench_listen(), EV_READ | EV_PERSIST, accept_some, base);
  if (!listening || event_add(listening, NULL) < 0) bench_fail("adding the listener to libevent");
  event_base_dispatch(base);
  return 1;
}
