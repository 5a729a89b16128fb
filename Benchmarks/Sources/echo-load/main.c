// The load of the echo benchmark: a closed loop of 64-byte messages on N connections from one thread. Every connection
// sends the next message when it has the answer to the last one. It reports requests a second and latencies, and closes
// the connections at the end of its input.
//
//   echo-load --port P [--connections 50] [--idle 0] [--flood 0] [--warm-up 0.3] [--seconds 1] [--batches 0]
//
// In batches it sends on all connections, and again when all have been answered: how many a server finds ready at once
// does then not depend on who is quicker.
// Idle connections exchange one message at first; they and the active ones are opened in turn. Flooding ones send as fast
// as the server takes it, and read what comes.
#include "CSupport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE = 64, EVENTS_PER_WAIT = 256 };

/// A connection that waits longer than this, in nanoseconds, counts as frozen.
static const uint64_t FROZEN = 250000000;

typedef struct {
  int descriptor;
  int received;
  uint64_t sent_at;
  uint64_t answers;
  uint64_t longest_wait;
  bool floods;
} connection;

/// Connections that are treated alike, all in one epoll instance.
typedef struct {
  connection *connections;
  int count;
  int poller;
  uint64_t requests;
  bench_histogram latencies;
} load;

static const char message[MESSAGE] = "sixty-four bytes that come back as they went, and no other way";

static int connect_to(int port) {
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) bench_fail("making a socket (raise the descriptor limit?)");
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  if (connect(descriptor, (struct sockaddr *)&address, sizeof address) < 0) bench_fail("connecting");
  bench_no_delay(descriptor);
  // A connection that is closed leaves nothing behind: there are many of them.
  struct linger none = {.l_onoff = 1, .l_linger = 0};
  if (setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &none, sizeof none) < 0) bench_fail("setting SO_LINGER");
  return descriptor;
}

static void send_message(connection *to, uint64_t now) {
  to->sent_at = now;
  to->received = 0;
  if (send(to->descriptor, message, MESSAGE, MSG_NOSIGNAL) != MESSAGE) bench_fail("sending");
}

/// Reads what has come; returns whether the answer is complete, and checks that it is what was sent.
static int take_answer(connection *from) {
  char answer[MESSAGE];
  ssize_t count = recv(from->descriptor, answer, (size_t)(MESSAGE - from->received), MSG_DONTWAIT);
  if (count < 0 && errno == EAGAIN) return 0;
  if (count <= 0) bench_fail("receiving: the server closed a connection");
  if (memcmp(answer, message + from->received, (size_t)count) != 0) {
    fprintf(stderr, "the server sent back other bytes than it got\n");
    exit(1);
  }
  from->received += (int)count;
  return from->received == MESSAGE;
}

/// Sends and discards as much as goes without blocking, a piece of each.
static void flood(connection *with, uint32_t ready) {
  static char bytes[64 * 1024];
  if (ready & EPOLLIN && recv(with->descriptor, bytes, sizeof bytes, MSG_DONTWAIT) == 0) bench_fail("flooding");
  if (ready & EPOLLOUT) send(with->descriptor, bytes, sizeof bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void start_flooding(load *load) {
  for (int i = 0; i < load->count; i++) {
    connection *each = &load->connections[i];
    each->floods = true;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data = {.ptr = each}};
    if (epoll_ctl(load->poller, EPOLL_CTL_MOD, each->descriptor, &event) < 0) bench_fail("changing epoll");
  }
}

static void prepare(load *load, int count) {
  load->count = count;
  load->connections = calloc((size_t)count, sizeof *load->connections);
  if (load->poller == 0) load->poller = epoll_create1(EPOLL_CLOEXEC);
  if (load->poller < 0) bench_fail("making an epoll instance");
}

static void open_connection(load *load, int index, int port) {
  connection *each = &load->connections[index];
  each->descriptor = connect_to(port);
  struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = each}};
  if (epoll_ctl(load->poller, EPOLL_CTL_ADD, each->descriptor, &event) < 0) bench_fail("adding to epoll");
}

/// One exchange on each connection, one after the other: afterwards the server has accepted them all.
static void greet(load *load) {
  for (int i = 0; i < load->count; i++) send_message(&load->connections[i], bench_now());
  int missing = load->count;
  struct epoll_event events[EVENTS_PER_WAIT];
  while (missing > 0) {
    int count = epoll_wait(load->poller, events, EVENTS_PER_WAIT, 10000);
    if (count == 0) {
      fprintf(stderr, "%d connections had no answer within 10 seconds\n", missing);
      exit(1);
    }
    for (int i = 0; i < count; i++) missing -= take_answer(events[i].data.ptr);
  }
}

/// The answer to a message that was sent before `from` is not counted: it may have waited for the first ones.
static void run_until(load *load, uint64_t from, uint64_t end) {
  struct epoll_event events[EVENTS_PER_WAIT];
  for (uint64_t now = bench_now(); now < end;) {
    int count = epoll_wait(load->poller, events, EVENTS_PER_WAIT, 1000);
    now = bench_now();
    for (int i = 0; i < count; i++) {
      connection *each = events[i].data.ptr;
      if (each->floods) {
        flood(each, events[i].events);
        continue;
      }
      if (!take_answer(each)) continue;
      now = bench_now();
      uint64_t wait = now - each->sent_at;
      if (each->sent_at >= from) bench_histogram_add(&load->latencies, wait);
      if (wait > each->longest_wait) each->longest_wait = wait;
      each->answers++;
      load->requests++;
      send_message(each, now);
    }
  }
}

static void take_whole_answer(connection *from) {
  while (!take_answer(from)) {
    struct pollfd readable = {.fd = from->descriptor, .events = POLLIN};
    if (poll(&readable, 1, 10000) == 0) {
      fprintf(stderr, "a connection had no answer within 10 seconds\n");
      exit(1);
    }
  }
}

static void run_batches_until(load *load, uint64_t end) {
  for (uint64_t now = bench_now(); now < end; now = bench_now()) {
    for (int i = 0; i < load->count; i++) send_message(&load->connections[i], now);
    for (int i = 0; i < load->count; i++) {
      take_whole_answer(&load->connections[i]);
      load->connections[i].answers++;
      load->requests++;
    }
  }
}

/// The fewest answers that one connection had, as a share of the mean: 1 when all are served alike.
static double evenness(const load *load) {
  uint64_t fewest = UINT64_MAX;
  for (int i = 0; i < load->count; i++) {
    if (load->connections[i].answers < fewest) fewest = load->connections[i].answers;
  }
  return (double)fewest * load->count / (double)load->requests;
}

/// How many connections waited too long, those included that are still waiting.
static int frozen(const load *load, uint64_t now) {
  int count = 0;
  for (int i = 0; i < load->count; i++) {
    const connection *each = &load->connections[i];
    if (each->longest_wait > FROZEN || now - each->sent_at > FROZEN) count++;
  }
  return count;
}

static void report(const load *load, double seconds) {
  bench_report("requests", (double)load->requests);
  bench_report("requests-per-second", (double)load->requests / seconds);
  bench_report("p50-us", (double)bench_histogram_quantile(&load->latencies, 0.5) / 1000);
  bench_report("p90-us", (double)bench_histogram_quantile(&load->latencies, 0.9) / 1000);
  bench_report("p99-us", (double)bench_histogram_quantile(&load->latencies, 0.99) / 1000);
  bench_report("p99.9-us", (double)bench_histogram_quantile(&load->latencies, 0.999) / 1000);
  bench_report("max-us", (double)load->latencies.largest / 1000);
  bench_report("frozen", frozen(load, bench_now()));
  bench_report("evenness", evenness(load));
}

static void wait_for_end_of_input(void) {
  char ignored[64];
  while (read(STDIN_FILENO, ignored, sizeof ignored) > 0) {}
}

int main(int argc, char **argv) {
  int port = (int)bench_number(argc, argv, "port", 0);
  if (port == 0) {
    fprintf(stderr, "usage: echo-load --port P [--connections N] [--idle N] [--flood N] [--warm-up S] [--seconds S] [--batches 1]\n");
    return 2;
  }
  static load idle, flooding, active;
  prepare(&idle, (int)bench_number(argc, argv, "idle", 0));
  prepare(&active, (int)bench_number(argc, argv, "connections", 50));
  // In turn, while there are of both.
  for (int i = 0; i < idle.count || i < active.count; i++) {
    if (i < idle.count) open_connection(&idle, i, port);
    if (i < active.count) open_connection(&active, i, port);
  }
  greet(&idle);
  greet(&active);
  // They are served by the same loop as the active ones.
  flooding.poller = active.poller;
  prepare(&flooding, (int)bench_number(argc, argv, "flood", 0));
  for (int i = 0; i < flooding.count; i++) open_connection(&flooding, i, port);
  start_flooding(&flooding);

  bool in_batches = bench_number(argc, argv, "batches", 0) != 0;
  for (int i = 0; i < active.count && !in_batches; i++) send_message(&active.connections[i], bench_now());
  uint64_t begin = bench_now() + (uint64_t)(bench_number(argc, argv, "warm-up", 0.3) * 1e9);
  if (!in_batches) run_until(&active, UINT64_MAX, begin);
  active.requests = 0;
  for (int i = 0; i < active.count; i++) active.connections[i].answers = active.connections[i].longest_wait = 0;
  // The runner asks the server for its CPU time when it reads this.
  bench_report("measuring", 1);
  begin = bench_now();
  uint64_t end = begin + (uint64_t)(bench_number(argc, argv, "seconds", 1) * 1e9);
  if (in_batches) run_batches_until(&active, end);
  else run_until(&active, begin, end);
  report(&active, (double)(bench_now() - begin) / 1e9);
  wait_for_end_of_input();
  return 0;
}
