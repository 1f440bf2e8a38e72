import Glibc

/// A thread for work that takes long and is in no hurry: whoever else has something to do at the same moment goes first.
enum BackgroundThread {
    /// One tenth of what other threads get where there is not enough for all (setpriority(2), which on Linux is a thread's own).
    private static let niceness: Int32 = 10

    private final class Work: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Does `body` on a thread of its own, which ends with it.
    /// - Returns: whether there was room for a thread; if not, nothing is done.
    static func start(_ body: @escaping @Sendable () -> Void) -> Bool {
        let work = Unmanaged.passRetained(Work(body))
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, BackgroundThread.niceness)
                Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body()
                return nil
            }, work.toOpaque())
        if result == 0 {
            pthread_detach(thread)
        } else {
            work.release()
        }
        return result == 0
    }
}
