#define _GNU_SOURCE
#include "hawt_accept4.h"

int hawt_accept4(int descriptor, struct sockaddr *address, socklen_t *length) {
  return accept4(descriptor, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}
