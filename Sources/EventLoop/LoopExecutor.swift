import CSystem
import Glibc
import Synchronization

/// Runs the Swift jobs of one loop on the loop's thread.
///
/// It is both kinds of executor: a task that prefers it is resumed by it as well, and no job takes a detour through
/// the global pool.
// @unchecked: `local` is touched only by the loop's thread, `remote` only under `lock`; the rest is atomic or constant.
package final class LoopExecutor: SerialExecutor, TaskExecutor, @unchecked Sendable {
    private struct Remote {
        var jobs: [UnownedJob] = []
        var isWakePending = false
    }

    /// Jobs between two looks at the descriptors.
    private static let jobsPerTurn = 32

    /// An eventfd that other threads write to when they leave a job.
    let wakeUp = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
    /// Jobs that other threads have left. A POSIX mutex guards them because Thread Sanitizer understands it, and reports
    /// every use of the standard library's as a race.
    private let remote = LoopCell(Remote())
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let local = LoopCell<[UnownedJob]>([])
    /// Those before it have run.
    // Unchecked for overlapping accesses: loads and stores of one word.
    @exclusivity(unchecked) private var nextJob = 0
    /// 0 until the loop turns. Other threads look at it whenever they enqueue, and find that it is not theirs.
    private let thread = Atomic<pthread_t>(0)
    /// The thread's processor clock, which may be read even when the thread is gone.
    private let clock = Atomic<clockid_t>(0)
    private let isBound = Atomic(false)

    init() { pthread_mutex_init(lock, nil) }

    deinit {
        pthread_mutex_destroy(lock)
        lock.deallocate()
        close(wakeUp)
    }

    /// The loop's block never returns while the loop lives, so Dispatch cannot move it to another thread.
    func bind() {
        var own = clockid_t()
        pthread_getcpuclockid(pthread_self(), &own)
        clock.store(own, ordering: .relaxed)
        isBound.store(true, ordering: .releasing)
        thread.store(pthread_self(), ordering: .relaxed)
    }

    /// Nanoseconds of a processor that the thread has had; 0 before it is bound. From any thread.
    var processorTime: Int64 { isBound.load(ordering: .acquiring) ? SystemClock.read(clock.load(ordering: .relaxed)) : 0 }

    private var isOnLoop: Bool { thread.load(ordering: .relaxed) == pthread_self() }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isOnLoop {
            local.value.append(job)
            return
        }
        pthread_mutex_lock(lock)
        remote.value.jobs.append(job)
        let mustWake = !remote.value.isWakePending
        remote.value.isWakePending = true
        pthread_mutex_unlock(lock)
        if mustWake { wake() }
    }

    private func wake() {
        var one: UInt64 = 1
        _ = write(wakeUp, &one, 8)
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
    package func asUnownedTaskExecutor() -> UnownedTaskExecutor { UnownedTaskExecutor(ordinary: self) }
    package func checkIsolated() { precondition(isOnLoop, "not on this loop") }
    package func isIsolatingCurrentContext() -> Bool? { isOnLoop }

    var hasJobs: Bool { !local.value.isEmpty }

    func takeRemote() {
        var count: UInt64 = 0
        // Read before the queue is taken: the other way round a job enqueued in between would sleep for ever.
        _ = read(wakeUp, &count, 8)
        pthread_mutex_lock(lock)
        remote.value.isWakePending = false
        local.value.append(contentsOf: remote.value.jobs)
        remote.value.jobs.removeAll(keepingCapacity: true)
        pthread_mutex_unlock(lock)
    }

    /// Runs what is queued, including what these jobs enqueue, up to a bound so that descriptors get their turn: a job
    /// prepares or ends a request, which takes longer than an event of a stream or a client that leaves.
    func runJobs() {
        if local.value.isEmpty { return }
        let serial = asUnownedSerialExecutor()
        let task = asUnownedTaskExecutor()
        var left = Self.jobsPerTurn
        while left > 0, nextJob < local.value.count {
            let job = local.value[nextJob]
            nextJob += 1
            left -= 1
            job.runSynchronously(isolatedTo: serial, taskExecutor: task)
        }
        if nextJob == local.value.count {
            local.value.removeAll(keepingCapacity: true)
            nextJob = 0
        } else if nextJob >= 4096 {
            local.value.removeFirst(nextJob)
            nextJob = 0
        }
    }
}
