// The threaded side of threaded against evented: one thread for each connection, which blocks in its system calls.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "CSupport.h"

/// Small enough that ten thousand threads fit; the handler needs next to none of it.
enum { STACK = 64 * 1024, BUFFER = 4096 };

static void *serve(void *argument) {
  int connection = (int)(intptr_t)argument;
  char buffer[BUFFER];
  for (;;) {
    ssize_t count = read(connection, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 || send(connection, buffer, (size_t)count, MSG_NOSIGNAL) != count) break;
  }
  close(connection);
  return NULL;
}

int main(void) {
  bench_serve_commands(NULL);
  int listener = bench_listen();
  if (fcntl(listener, F_SETFL, 0) < 0) bench_fail("making the listener block");
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  for (;;) {
    int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (connection < 0) {
      if (errno == ECONNABORTED || errno == EINTR) continue;
      bench_fail("accepting");
    }
    bench_no_delay(connection);
    pthread_t thread;
    errno = pthread_create(&thread, &attributes, serve, (void *)(intptr_t)connection);
    if (errno) bench_fail("starting a thread for a connection");
  }
}
