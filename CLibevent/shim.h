#ifndef CLIBEVENT_SHIM_H
#define CLIBEVENT_SHIM_H
// libevent's headers use fd_set and struct timeval without including what declares them: a clean build fails unless
// these two come first.
#include <sys/types.h>
#include <sys/time.h>
#include <event2/event.h>
#endif
