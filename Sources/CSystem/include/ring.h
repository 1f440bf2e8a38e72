#pragma once
#include <linux/io_uring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/// Several send(2) in one system call, by io_uring(7). Used by one thread at a time.
///
/// What never changes of a request is written once: the kernel only reads it. Its slot in the queue is also that of its outcome.
struct csystem_ring {
    /// Sends added and not made yet, and the room that their bytes take.
    unsigned count;
    size_t used;
    /// The slot of the first of them, and what bounds slots: a power of two, less one.
    unsigned first, mask;
    struct io_uring_sqe *requests;
    /// Bytes of sends, whose copies stay here until they are made.
    char *bytes;
    size_t room;
    /// By slot: whoever added a send, and the bytes moved or the negative errno once it is made.
    const void **owners;
    int32_t *outcomes;
    /// For whoever uses the ring: whether sends are added, and a number for what is made by one call.
    bool is_open;
    uint32_t number;

    int descriptor;
    /// What the kernel shares: requests, and what came of them.
    unsigned *request_tail, *result_head, *result_tail;
    unsigned result_mask;
    struct io_uring_cqe *results;
    void *queues;
    size_t queues_size;
};

/// A ring for so many sends, a power of two, of so many bytes together. NULL where the kernel has none (Linux before 5.17 is not asked) or
/// does not let this process have one: the sysctl kernel.io_uring_disabled, or a seccomp filter such as Docker's.
struct csystem_ring *csystem_ring_open(unsigned capacity, size_t room);
void csystem_ring_close(struct csystem_ring *ring);

/// Adds a send of a copy of the bytes. False where there is no room for it.
static inline bool csystem_ring_add(
    struct csystem_ring *ring, int descriptor, const void *owner, const void *bytes, size_t count) {
    if (ring->count > ring->mask || count > ring->room - ring->used) return false;
    unsigned slot = (ring->first + ring->count++) & ring->mask;
    char *copy = ring->bytes + ring->used;
    ring->used += count;
    memcpy(copy, bytes, count);
    ring->owners[slot] = owner;
    struct io_uring_sqe *request = &ring->requests[slot];
    request->fd = descriptor;
    request->addr = (uintptr_t)copy;
    request->len = (unsigned)count;
    return true;
}

/// Makes them, in the order in which they were added, none of them waiting for room. The copies stay until the next is added.
/// Returns how many did not move all of their bytes.
unsigned csystem_ring_send(struct csystem_ring *ring);
