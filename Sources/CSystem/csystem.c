// _GNU_SOURCE stays in this file: in a header it gives Swift two definitions of the C library's types.
#define _GNU_SOURCE
#include "csystem.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int csystem_accept(int listener) { return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC); }

static long outcome(long result) {
    if (result >= 0) return result;
    return errno == EAGAIN || errno == EINTR ? CSYSTEM_BLOCKED : CSYSTEM_FAILED;
}

long csystem_receive(int descriptor, void *bytes, size_t capacity) {
    return outcome(syscall(SYS_recvfrom, descriptor, bytes, capacity, 0, NULL, NULL));
}

long csystem_send(int descriptor, const void *bytes, size_t count) {
    return outcome(syscall(SYS_sendto, descriptor, bytes, count, MSG_NOSIGNAL, NULL, 0));
}

long csystem_wait(int epoll, struct epoll_event *events, int capacity, int milliseconds) {
    return syscall(SYS_epoll_pwait, epoll, events, capacity, milliseconds, NULL, 0);
}

long csystem_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (long)limit.rlim_cur : -1;
}

void csystem_reserve_descriptors(int count) {
    if (count <= 0) return;
    struct rlimit limit;
    int any = eventfd(0, EFD_CLOEXEC);
    if (any < 0) return;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < (rlim_t)count) count = (int)limit.rlim_cur;
    // The table is as large as its highest descriptor needs, and never shrinks.
    int highest = fcntl(any, F_DUPFD_CLOEXEC, count - 1);
    if (highest >= 0) close(highest);
    close(any);
}

void csystem_forbid_core_dumps(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) != 0) return;
    limit.rlim_cur = 0;
    setrlimit(RLIMIT_CORE, &limit);
}

const void *csystem_find(const void *haystack, size_t count, const void *needle, size_t needle_count) {
    return memmem(haystack, count, needle, needle_count);
}

int csystem_held_bytes(int socket) {
    int count = 0;
    return ioctl(socket, SIOCOUTQ, &count) == 0 ? count : 0;
}

uint64_t csystem_acknowledged_bytes(int socket) {
    // The kernel's own header: glibc's struct tcp_info ends before this field.
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    return getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 ? info.tcpi_bytes_acked : 0;
}

int csystem_timer(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC); }

void csystem_start_timer(int timer, long microseconds) {
    if (microseconds < 1) microseconds = 1;
    struct itimerspec time = {.it_value = {.tv_sec = microseconds / 1000000, .tv_nsec = microseconds % 1000000 * 1000}};
    timerfd_settime(timer, 0, &time, NULL);
}
