#define _GNU_SOURCE
#include "csystem.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Told by Linux 5.17: by then a send that must not wait is neither put off nor given to another thread.
#define NEEDED_FEATURES (IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_CQE_SKIP)

struct csystem_ring *csystem_ring_open(unsigned capacity, size_t room) {
    struct io_uring_params parameters = {0};
    int descriptor = (int)syscall(SYS_io_uring_setup, capacity, &parameters);
    if (descriptor < 0) return NULL;
    struct csystem_ring *ring = calloc(1, sizeof *ring);
    if (!ring || (parameters.features & NEEDED_FEATURES) != NEEDED_FEATURES) {
        close(descriptor);
        free(ring);
        return NULL;
    }
    *ring = (struct csystem_ring){.descriptor = descriptor, .mask = capacity - 1, .room = room, .number = 1};
    size_t requests_end = parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned);
    size_t results_end = parameters.cq_off.cqes + parameters.cq_entries * sizeof(struct io_uring_cqe);
    ring->queues_size = requests_end > results_end ? requests_end : results_end;
    ring->queues = mmap(NULL, ring->queues_size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, IORING_OFF_SQ_RING);
    ring->requests = mmap(
        NULL, capacity * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, IORING_OFF_SQES);
    ring->bytes = malloc(room);
    ring->owners = calloc(capacity, sizeof *ring->owners);
    ring->outcomes = calloc(capacity, sizeof *ring->outcomes);
    if (ring->queues == MAP_FAILED || ring->requests == MAP_FAILED || !ring->bytes || !ring->owners || !ring->outcomes) {
        csystem_ring_close(ring);
        return NULL;
    }
    char *queues = ring->queues;
    ring->request_tail = (unsigned *)(queues + parameters.sq_off.tail);
    ring->result_head = (unsigned *)(queues + parameters.cq_off.head);
    ring->result_tail = (unsigned *)(queues + parameters.cq_off.tail);
    ring->result_mask = parameters.cq_entries - 1;
    ring->results = (struct io_uring_cqe *)(queues + parameters.cq_off.cqes);
    unsigned *order = (unsigned *)(queues + parameters.sq_off.array);
    for (unsigned slot = 0; slot < capacity; slot++) {
        order[slot] = slot;
        ring->requests[slot] = (struct io_uring_sqe){
            .opcode = IORING_OP_SEND, .msg_flags = MSG_NOSIGNAL | MSG_DONTWAIT, .user_data = slot};
    }
    return ring;
}

void csystem_ring_close(struct csystem_ring *ring) {
    if (ring->queues != MAP_FAILED) munmap(ring->queues, ring->queues_size);
    if (ring->requests != MAP_FAILED) munmap(ring->requests, (ring->mask + 1) * sizeof(struct io_uring_sqe));
    close(ring->descriptor);
    free(ring->bytes);
    free(ring->owners);
    free(ring->outcomes);
    free(ring);
}

/// Takes in what is there of the results; returns how many that were.
static unsigned take_results(struct csystem_ring *ring) {
    unsigned head = *ring->result_head, tail = __atomic_load_n(ring->result_tail, __ATOMIC_ACQUIRE);
    for (unsigned next = head; next != tail; next++) {
        struct io_uring_cqe *result = &ring->results[next & ring->result_mask];
        ring->outcomes[result->user_data & ring->mask] = result->res;
    }
    __atomic_store_n(ring->result_head, tail, __ATOMIC_RELEASE);
    return tail - head;
}

unsigned csystem_ring_send(struct csystem_ring *ring) {
    unsigned count = ring->count, first = ring->first, made = 0, told = 0, fell_short = 0;
    // One whose result never comes may have been made or not: nothing may follow it.
    for (unsigned place = 0; place < count; place++) ring->outcomes[(first + place) & ring->mask] = -EIO;
    // A single one is cheaper as a call of its own.
    if (count > 1) __atomic_store_n(ring->request_tail, first + count, __ATOMIC_RELEASE);
    while (count > 1 && told < count) {
        // What the kernel has taken is made before the call returns; only then is there anything to wait for that is left.
        unsigned left = count - made;
        long taken = syscall(
            SYS_io_uring_enter, ring->descriptor, left, left ? 0 : count - told, left ? 0 : IORING_ENTER_GETEVENTS, NULL, 0);
        told += take_results(ring);
        if (taken > 0) made += (unsigned)taken;
        else if (left ? taken == 0 || errno != EINTR : taken < 0 && errno != EINTR) break;
    }
    // Where the kernel takes no more, for want of memory for instance, the rest is sent one by one.
    if (made < count) __atomic_store_n(ring->request_tail, first + made, __ATOMIC_RELEASE);
    for (unsigned place = 0; place < count; place++) {
        unsigned slot = (first + place) & ring->mask;
        struct io_uring_sqe *asked = &ring->requests[slot];
        if (place >= made) {
            long moved = send(asked->fd, (const void *)(uintptr_t)asked->addr, asked->len, MSG_NOSIGNAL | MSG_DONTWAIT);
            ring->outcomes[slot] = moved < 0 ? -errno : (int32_t)moved;
        }
        if (ring->outcomes[slot] != (int32_t)asked->len) fell_short++;
    }
    ring->first = first + made;
    ring->count = 0;
    ring->used = 0;
    return fell_short;
}
