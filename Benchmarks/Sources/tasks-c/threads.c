// W4 between two threads: each waits in epoll for its eventfd, as a loop with IO does, and passes the ball on.
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "CSupport.h"
#include "tasks.h"

enum { HOPS = 50000 };

typedef struct {
  int poller, mine, peers;
} player;

static void *play(void *argument) {
  const player *self = argument;
  struct epoll_event event;
  uint64_t value;
  for (int i = 0; i < HOPS / 2; i++) {
    while (epoll_wait(self->poller, &event, 1, -1) != 1) {
      if (errno != EINTR) bench_fail("waiting");
    }
    if (read(self->mine, &value, sizeof value) != sizeof value) bench_fail("reading an eventfd");
    value = 1;
    if (write(self->peers, &value, sizeof value) != sizeof value) bench_fail("writing an eventfd");
  }
  return NULL;
}

static player make_player(int mine, int peers) {
  player made = {.poller = epoll_create1(EPOLL_CLOEXEC), .mine = mine, .peers = peers};
  struct epoll_event event = {.events = EPOLLIN};
  if (made.poller < 0 || epoll_ctl(made.poller, EPOLL_CTL_ADD, mine, &event) < 0) bench_fail("setting up epoll");
  return made;
}

size_t hop_between_threads(void) {
  int first = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC), second = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (first < 0 || second < 0) bench_fail("making an eventfd");
  player players[] = {make_player(first, second), make_player(second, first)};
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) {
    errno = pthread_create(&threads[i], NULL, play, &players[i]);
    if (errno) bench_fail("starting a thread");
  }
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < 2; i++) close(players[i].poller);
  close(first);
  close(second);
  return HOPS;
}
