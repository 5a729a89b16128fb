// The floor of the echo benchmark: raw epoll, one thread, nothing in between. One read and one write per readiness, as
// every peer does.
#include "CSupport.h"

#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_PER_WAIT = 256, ACCEPTS_PER_TURN = 32 };

static char buffer[64 * 1024];

static void add(int poller, int descriptor) {
  struct epoll_event event = {.events = EPOLLIN, .data = {.fd = descriptor}};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event) < 0) bench_fail("adding to epoll");
}

static void accept_some(int poller, int listener) {
  for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
    int connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (connection < 0) {
      if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) return;
      bench_fail("accepting");
    }
    bench_no_delay(connection);
    add(poller, connection);
  }
}

static void echo(int connection) {
  ssize_t count = read(connection, buffer, sizeof buffer);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  // The client sends the next message only when it has the last one, so the kernel always has room for 64 bytes.
  if (count <= 0 || send(connection, buffer, (size_t)count, MSG_NOSIGNAL) != count) close(connection);
}

int main(void) {
  bench_serve_commands(NULL);
  int poller = epoll_create1(EPOLL_CLOEXEC);
  if (poller < 0) bench_fail("making an epoll instance");
  int listener = bench_listen();
  add(poller, listener);
  struct epoll_event events[EVENTS_PER_WAIT];
  for (;;) {
    int count = epoll_wait(poller, events, EVENTS_PER_WAIT, -1);
    if (count < 0 && errno != EINTR) bench_fail("waiting");
    for (int i = 0; i < count; i++) {
      if (events[i].data.fd == listener) {
        accept_some(poller, listener);
      } else {
        echo(events[i].data.fd);
      }
    }
  }
}
