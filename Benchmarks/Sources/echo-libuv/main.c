// The echo on libuv: one loop, one read and one immediate write per readiness.
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "CSupport.h"

static char buffer[64 * 1024];

static void check(int result, const char *what) {
  if (result >= 0) return;
  fprintf(stderr, "%s: %s\n", what, uv_strerror(result));
  exit(1);
}

static void lend_buffer(uv_handle_t *handle, size_t wish, uv_buf_t *out) {
  (void)handle, (void)wish;
  *out = uv_buf_init(buffer, sizeof buffer);
}

static void release(uv_handle_t *handle) { free(handle); }

static void echo(uv_stream_t *connection, ssize_t count, const uv_buf_t *from) {
  if (count == 0) return;
  uv_buf_t bytes = uv_buf_init(from->base, count > 0 ? (unsigned)count : 0);
  // The client sends the next message only when it has the last one, so the kernel always has room for 64 bytes.
  if (count < 0 || uv_try_write(connection, &bytes, 1) != count) uv_close((uv_handle_t *)connection, release);
}

static void accept_one(uv_stream_t *listener, int status) {
  check(status, "listening");
  uv_tcp_t *connection = malloc(sizeof *connection);
  check(uv_tcp_init(listener->loop, connection), "making a connection");
  check(uv_accept(listener, (uv_stream_t *)connection), "accepting");
  check(uv_tcp_nodelay(connection, 1), "setting TCP_NODELAY");
  check(uv_read_start((uv_stream_t *)connection, lend_buffer, echo), "reading");
}

int main(void) {
  bench_serve_commands(NULL);
  uv_tcp_t listener;
  check(uv_tcp_init(uv_default_loop(), &listener), "making a listener");
  check(uv_tcp_open(&listener, bench_listen()), "taking the listening socket over");
  check(uv_listen((uv_stream_t *)&listener, 4096, accept_one), "listening");
  return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
