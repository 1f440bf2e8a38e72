#pragma once
#include <linux/io_uring.h>
#include <stddef.h>
#include <stdint.h>

/// Several send(2) in one system call, by io_uring(7). Used by one thread at a time.
struct csystem_ring {
    int descriptor;
    /// Sends added and not made yet.
    unsigned count;
    unsigned capacity;
    /// What the kernel shares: requests, and what came of them.
    unsigned *request_tail, *result_head, *result_tail;
    unsigned result_mask;
    struct io_uring_sqe *requests;
    struct io_uring_cqe *results;
    void *queues;
    size_t queues_size;
    /// By place: the bytes moved, CSYSTEM_BLOCKED or CSYSTEM_FAILED, once they are made.
    int32_t *outcomes;
};

/// A ring for so many sends, a power of two. NULL where the kernel has none (Linux before 5.17 is not asked) or does not let this process
/// have one: the sysctl kernel.io_uring_disabled, or a seccomp filter such as Docker's.
struct csystem_ring *csystem_ring_open(unsigned capacity);
void csystem_ring_close(struct csystem_ring *ring);
/// Adds a send, of bytes that stay where they are until it is made. At most as many as the ring has room for.
void csystem_ring_add(struct csystem_ring *ring, int descriptor, const void *bytes, size_t count);
/// Makes them, in the order in which they were added, none of them waiting for room.
/// Returns how many did not move all of their bytes.
unsigned csystem_ring_send(struct csystem_ring *ring);
