#ifndef CLINUX_H
#define CLINUX_H
// What the Glibc module of the toolchain lacks.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/signalfd.h>

#include "hawt_accept4.h"
#endif
