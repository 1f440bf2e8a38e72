#pragma once
#include "ring.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

/// accept4 with SOCK_NONBLOCK and SOCK_CLOEXEC: the descriptor, or -1 with errno set.
int csystem_accept(int listener);
/// recv(2), send(2) and epoll_wait(2) as bare system calls. The C library's are points where a thread can be cancelled, which
/// costs 40 instructions each time in a process of several threads; none here is ever cancelled. The first two return the bytes
/// moved, 0 at the end of the stream, CSYSTEM_BLOCKED (EAGAIN, EINTR) or CSYSTEM_FAILED. Sending raises no SIGPIPE.
#define CSYSTEM_BLOCKED (-1)
#define CSYSTEM_FAILED (-2)
long csystem_receive(int descriptor, void *bytes, size_t capacity);
long csystem_send(int descriptor, const void *bytes, size_t count);
/// The number of events, or -1.
long csystem_wait(int epoll, struct epoll_event *events, int capacity, int milliseconds);
/// Raises the soft limit on descriptors to the hard one; returns the limit now in force.
long csystem_raise_descriptor_limit(void);
/// Has the kernel make room for this many descriptors at once, as far as the limit lets it. Otherwise it doubles its table whenever
/// that is full, and in a process of several threads whoever asked for a descriptor then waits for an RCU grace period: 8 ms and
/// more, in which nothing else happens on that thread (expand_fdtable in fs/file.c).
void csystem_reserve_descriptors(int count);
/// Lowers the soft limit on core files to nothing, whatever it was; the hard one stays.
void csystem_forbid_core_dumps(void);
/// Asks the processor to fetch so many lines of its cache, 64 bytes each. Any address is good, none is read through.
static inline void csystem_prefetch(const void *start, unsigned lines) {
    for (unsigned line = 0; line < lines; line++) __builtin_prefetch((const char *)start + 64 * line, 1, 3);
}
/// The first occurrence of `needle` in `haystack`, or NULL.
const void *csystem_find(const void *haystack, size_t count, const void *needle, size_t needle_count);
/// Bytes that the kernel holds for a socket's peer, unsent or not acknowledged; 0 where that cannot be told.
int csystem_held_bytes(int socket);
/// Bytes that the peer of a TCP socket has acknowledged in all; 0 where that cannot be told.
uint64_t csystem_acknowledged_bytes(int socket);
/// A timer as a descriptor, timerfd_create(2) on the monotonic clock: readable once it has fired. -1 where there is none left.
int csystem_timer(void);
/// Has it fire once, so many microseconds from now, at least one.
void csystem_start_timer(int timer, long microseconds);
