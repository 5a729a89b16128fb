#include "CSupport.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

int bench_listen(void) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) bench_fail("making a listening socket");
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, length) < 0) bench_fail("binding to 127.0.0.1");
  if (listen(listener, 4096) < 0) bench_fail("listening");
  if (getsockname(listener, (struct sockaddr *)&address, &length) < 0) bench_fail("asking for the port");
  bench_report("port", ntohs(address.sin_port));
  return listener;
}

void bench_no_delay(int descriptor) {
  int on = 1;
  if (setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) bench_fail("setting TCP_NODELAY");
}

static void make_pair(int ends[2]) {
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0) {
    bench_fail("making a pair of sockets (raise the descriptor limit?)");
  }
}

int bench_quiet_socket(void) {
  int ends[2];
  make_pair(ends);
  return ends[0];
}

int bench_ready_socket(int *peer) {
  int ends[2];
  make_pair(ends);
  *peer = ends[1];
  if (write(*peer, "", 1) != 1) bench_fail("writing to a socket");
  return ends[0];
}
