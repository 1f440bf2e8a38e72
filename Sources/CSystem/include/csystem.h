#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

/// accept4 with SOCK_NONBLOCK and SOCK_CLOEXEC: the descriptor, or -1 with errno set.
int csystem_accept(int listener);
/// Raises the soft limit on descriptors to the hard one; returns the limit now in force.
long csystem_raise_descriptor_limit(void);
/// The first occurrence of `needle` in `haystack`, or NULL.
const void *csystem_find(const void *haystack, size_t count, const void *needle, size_t needle_count);
/// Bytes that the kernel holds for a socket's peer, unsent or not acknowledged; 0 where that cannot be told.
int csystem_held_bytes(int socket);
/// Bytes that the peer of a TCP socket has acknowledged in all; 0 where that cannot be told.
uint64_t csystem_acknowledged_bytes(int socket);
