import Foundation
import StrictJSON
import Synchronization
import TestSupport

/// Users at work on three replicas, one of them with a clock that is wrong, while replicas are killed and the database is
/// restarted, or stands still, under them. What clients saw is kept.
final class LedgerRun: Sendable {
    let stack: Stack
    private let postgres: PostgresServer
    private let seed: UInt64
    /// Access tokens of the users.
    let tokens: [String]
    /// The replicas that are alive, or about to be.
    let places: Mutex<[Stack.Replica]>
    let kept = Mutex<[LedgerAttempt]>([])
    /// What is being streamed at this moment.
    let streaming = Mutex<[String: LedgerRequest]>([:])
    private let dead = Mutex<Set<Int32>>([])
    private let restarts = Atomic(0)
    private let standstills = Atomic(0)
    private let believed = Mutex((kept: 0, broken: 0))
    private let end: ContinuousClock.Instant

    var attempts: [LedgerAttempt] { kept.withLock { $0 } }
    /// Processes that were killed.
    var killed: Set<Int32> { dead.withLock { $0 } }
    /// How often the database was restarted.
    var databaseRestarts: Int { restarts.load(ordering: .relaxed) }
    /// How often the database stood still.
    var databaseStandstills: Int { standstills.load(ordering: .relaxed) }
    /// How often a retry after the time that was told was admitted, and how often not.
    var retries: (kept: Int, broken: Int) { believed.withLock { $0 } }

    /// - Parameters:
    ///   - tokens: access tokens of ``LedgerUser/all``, in that order.
    ///   - seconds: how long.
    init(_ stack: Stack, postgres: PostgresServer, seed: UInt64, tokens: [String], seconds: Int) {
        self.stack = stack
        self.postgres = postgres
        self.seed = seed
        self.tokens = tokens
        places = Mutex(stack.replicas)
        end = ContinuousClock.now + .seconds(seconds)
    }

    /// What a replica's environment says where its clock is so many minutes ahead, or behind. Only the time of day is wrong: what
    /// programs measure durations with is not set.
    static func wrongClock(minutes: Int) throws -> [String: String] {
        let libraries = try FileManager.default.contentsOfDirectory(atPath: "/usr/lib")
            .map { "/usr/lib/\($0)/faketime/libfaketimeMT.so.1" }.filter { FileManager.default.fileExists(atPath: $0) }
        guard let library = libraries.first else {
            throw TestFailure("no libfaketime: install it (Debian: apt-get install faketime)")
        }
        return ["LD_PRELOAD": library, "FAKETIME": "\(minutes < 0 ? "" : "+")\(minutes)m", "FAKETIME_DONT_FAKE_MONOTONIC": "1"]
    }

    /// Lets everybody work until the end.
    func run() throws {
        var parts: [@Sendable () throws -> Void] = [{ try self.trouble() }]
        for (index, user) in LedgerUser.all.enumerated() {
            switch user.manner {
            case .steady: parts.append { self.steady(index, perMinute: user.limits.requestsPerMinute ?? 60) }
            case .believer: parts.append { self.believe(index) }
            case .crowd(let count):
                for member in 0..<count { parts.append { self.crowd(index, member: member) } }
            }
        }
        let all = parts
        try concurrently(all.count) { try all[$0]() }
    }

    private var isOver: Bool { ContinuousClock.now >= end }

    // MARK: Trouble

    /// A replica is killed every few seconds and started again; in the midst, and then every half minute, the database is
    /// restarted as after a crash, and between it stands still. Nobody is killed soon after that: what runs is to have reported since.
    private func trouble() throws {
        var random = SeededGenerator(seed: seed)
        let begin = ContinuousClock.now
        var nextRestart = begin + min(.seconds(30), (end - begin) / 2)
        var nextKill = begin + .seconds(4)
        var nextStandstill = begin + .milliseconds(5_500)
        while !isOver {
            if ContinuousClock.now >= nextRestart {
                try postgres.stopImmediately()
                usleep(300_000)
                try postgres.start()
                restarts.add(1, ordering: .relaxed)
                nextKill = ContinuousClock.now + .milliseconds(7_000)
                nextRestart = ContinuousClock.now + .seconds(30)
            } else if ContinuousClock.now >= nextStandstill {
                try standstill(&random)
                nextKill = max(nextKill, ContinuousClock.now + .milliseconds(6_000))
                nextStandstill = ContinuousClock.now + .seconds(17)
            } else if ContinuousClock.now >= nextKill {
                let index = Int.random(in: 0..<3, using: &random)
                let old = places.withLock { $0[index] }
                _ = dead.withLock { $0.insert(old.process.pid) }
                try old.process.kill()
                let new = try stack.startReplica(index == 2 ? LedgerRun.wrongClock(minutes: random.chance(50) ? 5 : -5) : [:])
                places.withLock { $0[index] = new }
                nextKill = ContinuousClock.now + .milliseconds(Int.random(in: 2_500...5_000, using: &random))
            }
            usleep(20_000)
        }
    }

    /// The database stands still for longer than an admission waits for it, and then does what it was asked before. Meanwhile
    /// clients send once more what they are reading.
    private func standstill(_ random: inout SeededGenerator) throws {
        let running = streaming.withLock { $0 }.values.sorted { $0.id < $1.id }.shuffled(using: &random).prefix(8)
        let generators = running.map { _ in SeededGenerator(seed: random.next()) }
        try postgres.suspend()
        try concurrently(running.count + 1) { [self] index in
            guard index < running.count else {
                usleep(1_600_000)
                return try postgres.resume()
            }
            var random = generators[index]
            _ = ask(running[index].again, &random)
        }
        standstills.add(1, ordering: .relaxed)
    }

    // MARK: Users

    private func steady(_ user: Int, perMinute: Int64) {
        var random = SeededGenerator(seed: seed &+ 1_000)
        let period = Duration.seconds(60) / Int(perMinute) * 10 / 9
        var next = ContinuousClock.now
        while !isOver {
            _ = ask(LedgerRequest(id: random.uuid(), user: user, interval: 0, tokens: 1), &random)
            next += period
            pause(until: next)
        }
    }

    private func believe(_ user: Int) {
        var random = SeededGenerator(seed: seed &+ 2_000)
        while !isOver {
            let first = ask(LedgerRequest(id: random.uuid(), user: user, interval: 0, tokens: 1), &random)
            guard first.isRateRefusal, let wait = first.wait else { continue }
            pause(until: .now + .microseconds(wait))
            let second = ask(LedgerRequest(id: random.uuid(), user: user, interval: 0, tokens: 1), &random)
            // A replica or a database that is down says nothing about what was told.
            guard second.status == 200 || second.isRateRefusal else { continue }
            believed.withLock { if second.status == 200 { $0.kept += 1 } else { $0.broken += 1 } }
        }
    }

    private func crowd(_ user: Int, member: Int) {
        var random = SeededGenerator(seed: seed &* 31 &+ UInt64(user * 100 + member))
        while !isOver {
            let attempt = ask(something(user, &random), &random)
            if attempt.status != 200 { usleep(UInt32.random(in: 50_000...300_000, using: &random)) }
        }
    }

    private func something(_ user: Int, _ random: inout SeededGenerator) -> LedgerRequest {
        let tokens = [3, 30, 100, 400].randomElement(using: &random) ?? 30
        let place = Int.random(in: 1...tokens, using: &random)
        var request = LedgerRequest(
            id: random.uuid(), user: user, interval: [5, 20, 40].randomElement(using: &random) ?? 20, tokens: tokens)
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<30: break
        case 30..<55: request.manner = .leaves(place, byReset: random.chance(50))
        case 55..<70: request.manner = .stops(place)
        case 70..<80: request.isStreamed = false
        default:
            let faults = [
                "drop_after=\(place)", "fin_after=\(place)", "error_after=\(place)", "status=500 fails=1", "drop_head=1 fails=1",
            ]
            request.fault = faults.randomElement(using: &random) ?? ""
        }
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<40: break
        case 40..<52: request.repetition = .twin
        case 52..<64: request.repetition = .midway(Int.random(in: 1...tokens, using: &random))
        case 64..<76: request.repetition = .after
        default: request.repetition = .retried(4)
        }
        return request
    }

    private func pause(until moment: ContinuousClock.Instant) {
        let left = moment - ContinuousClock.now
        if left > .zero { usleep(UInt32(left / .microseconds(1)) + 1) }
    }
}
