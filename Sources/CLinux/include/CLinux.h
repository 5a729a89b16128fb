#ifndef CLINUX_H
#define CLINUX_H
// What the Glibc module of the toolchain lacks.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/signalfd.h>
#include <sys/vfs.h>

#include "hawt_accept4.h"

// glibc declares the flags below as anonymous enumerations and the masks as an enumeration whose members carry a
// cast in Swift; plain constants of the type that the calls take keep the casts out of the code that uses them.
static const int hawt_epoll_cloexec = EPOLL_CLOEXEC;
static const unsigned int hawt_epoll_in = EPOLLIN;
static const unsigned int hawt_epoll_out = EPOLLOUT;
static const unsigned int hawt_epoll_err = EPOLLERR;
static const unsigned int hawt_epoll_hup = EPOLLHUP;
static const int hawt_eventfd_flags = EFD_CLOEXEC | EFD_NONBLOCK;
static const int hawt_timerfd_flags = TFD_CLOEXEC | TFD_NONBLOCK;
static const int hawt_timerfd_absolute = TFD_TIMER_ABSTIME;

// linux/magic.h would be needed for this one number alone.
static const long hawt_pipefs_magic = 0x50495045;
#endif
