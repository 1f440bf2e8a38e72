import Glibc

/// The machine's clocks, read here and passed on as values. A loop's own time, coarser and cheaper, is ``LoopIO/now``.
package enum SystemClock {
    /// Nanoseconds since 1970, UTC.
    package static func unixNanoseconds() -> Int64 { read(CLOCK_REALTIME) }
    /// Microseconds since 1970, UTC.
    package static func microseconds() -> Int64 { read(CLOCK_REALTIME) / 1_000 }
    /// Nanoseconds of a clock that never steps.
    package static func monotonicNanoseconds() -> Int64 { read(CLOCK_MONOTONIC) }

    static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
