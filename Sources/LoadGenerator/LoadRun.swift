import EventLoop

/// Starts the workers, keeps them busy until the plan is done, and watches the server's memory meanwhile.
final class LoadRun {
    let plan: LoadPlan
    let tally = Tally()
    let io: LoopIO
    private let use: ProcessUse?
    private var workers: [Worker] = []
    private var started = 0
    private var begun = 0
    private var idle = 0
    private let start = SystemClock.monotonicNanoseconds()
    private var openedCount = 0
    private var isReleased = false
    private var isOver = false
    private var finished: ((Figures) -> Void)?

    private let cpuBefore: Int64
    private let residentBefore: Int
    private var residentMost = 0
    private var residentAtFull = 0
    private var openAtFull = 0
    private var nextSample: Int64 = 0
    private var releaseAt = Int64.max
    /// Workers that begin again in a little while, after a failure.
    private var penitents: [Worker] = []
    /// Workers that wait for their turn at the plan's rate, longest first.
    private var resting: [Worker] = []
    private var ticker: LoopTimer?
    private let pacer: KernelTimer?

    init(plan: LoadPlan, io: LoopIO) {
        self.plan = plan
        self.io = io
        use = ProcessUse(root: plan.pid)
        pacer = plan.rate == nil ? nil : KernelTimer(io: io)
        cpuBefore = use?.cpu ?? 0
        residentBefore = use?.residentKiB ?? 0
        residentMost = residentBefore
    }

    /// Runs the plan; `finished` is called once, with what came of it.
    func start(_ finished: @escaping (Figures) -> Void) {
        self.finished = finished
        workers = (0..<plan.concurrency).map { Worker(index: $0, run: self) }
        // The timer keeps the run alive until it is over.
        ticker = LoopTimer { [self] in tick() }
        tick()
    }

    /// Begins what rests when its time has come, each by itself: a tick's worth at once would queue behind one another, which is
    /// not what so many a second are. Returns when the run is over, or has no rate.
    func pace() async {
        guard let pacer, let rate = plan.rate else { return }
        while !isOver {
            let due = start + Int64(Double(begun) / rate * 1e9)
            let wait = (due - SystemClock.monotonicNanoseconds()) / 1_000
            if wait <= 0, !resting.isEmpty {
                next(resting.removeFirst())
            } else {
                // Behind its time whoever becomes free begins at once; this looks again a little later.
                await pacer.pause(microseconds: max(wait + 1, 100))
            }
        }
    }

    /// A stream has its first token and is held open.
    func opened() {
        openedCount += 1
        if openedCount == plan.concurrency, let hold = plan.hold {
            releaseAt = SystemClock.monotonicNanoseconds() + Int64(hold * 1e9)
        }
    }

    func ended(_ worker: Worker, failed: Bool) {
        if failed { penitents.append(worker) } else { next(worker) }
    }

    /// Nothing more is to be begun.
    private var isDone: Bool {
        let isTimeUp = plan.seconds.map { Double(SystemClock.monotonicNanoseconds() - start) / 1e9 >= $0 } ?? false
        return isTimeUp || isReleased || begun >= plan.total ?? Int.max
    }

    private func next(_ worker: Worker) {
        if isDone {
            idle += 1
            worker.close()
            if idle == workers.count { finish() }
            return
        }
        if let rate = plan.rate, Double(begun) >= rate * Double(SystemClock.monotonicNanoseconds() - start) / 1e9 {
            resting.append(worker)
            return
        }
        begun += 1
        // Not on this call's stack: a server that refuses would make it grow without end.
        io.atEndOfTurn { worker.begin() }
    }

    /// Some hundred times a second.
    private func tick() {
        if isOver { return }
        let now = SystemClock.monotonicNanoseconds()
        let share = plan.ramp > 0 ? min(1, Double(now - start) / 1e9 / plan.ramp) : 1
        let wanted = max(1, Int(share * Double(workers.count)))
        while started < wanted {
            started += 1
            next(workers[started - 1])
        }
        var waiting = penitents
        penitents = []
        // Those that rest are the pacer's, as long as anybody's turn is to come.
        if pacer == nil || isDone {
            waiting += resting
            resting = []
        }
        for worker in waiting { next(worker) }
        if now >= nextSample { sample(now) }
        if now >= releaseAt { release() }
        if let ticker, !isOver { io.schedule(ticker, after: .milliseconds(8)) }
    }

    private func sample(_ now: Int64) {
        nextSample = now + 500_000_000
        let limit = Int64(plan.timeout * 1e9)
        for worker in workers { if let since = worker.busySince, now - since > limit { worker.timeOut() } }
        guard let use else { return }
        let resident = use.residentKiB
        residentMost = max(residentMost, resident)
        // The last sample taken while most streams were open.
        if tally.open >= openAtFull {
            openAtFull = tally.open
            residentAtFull = resident
        }
    }

    private func release() {
        sample(SystemClock.monotonicNanoseconds())
        isReleased = true
        releaseAt = Int64.max
        for worker in workers { worker.release() }
    }

    private func finish() {
        if isOver { return }
        isOver = true
        if let ticker { io.cancel(ticker) }
        ticker = nil
        pacer?.close()
        var figures = Figures(tally: tally, seconds: Double(max(tally.lastEnd, start + 1) - start) / 1e9)
        if let use {
            figures.cpuSeconds = Double(use.cpu - cpuBefore) / 1e9
            figures.residentBeforeKiB = residentBefore
            figures.residentMostKiB = residentMost
            figures.openAtFull = openAtFull
            figures.residentAtFullKiB = residentAtFull
        }
        finished?(figures)
        finished = nil
    }
}
