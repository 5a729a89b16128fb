#ifndef HAWT_ACCEPT4_H
#define HAWT_ACCEPT4_H
#include <sys/socket.h>

// The Glibc module hides accept4, which needs _GNU_SOURCE; accept plus two fcntl calls would leave a moment in which
// a fork inherits the descriptor.
int hawt_accept4(int descriptor, struct sockaddr *address, socklen_t *length);
#endif
