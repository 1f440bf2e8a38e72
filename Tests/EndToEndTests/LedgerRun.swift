import Foundation
import StrictJSON
import Synchronization
import TestSupport

/// Users at work on three replicas, one of them with a clock that is wrong, while replicas are killed and the database is
/// restarted under them. What clients saw is kept.
final class LedgerRun: Sendable {
    private let stack: Stack
    private let postgres: PostgresServer
    private let seed: UInt64
    private let tokens: [String]
    private let places: Mutex<[Stack.Replica]>
    private let kept = Mutex<[LedgerAttempt]>([])
    private let dead = Mutex<Set<Int32>>([])
    private let restarts = Atomic(0)
    private let believed = Mutex((kept: 0, broken: 0))
    private let end: ContinuousClock.Instant

    var attempts: [LedgerAttempt] { kept.withLock { $0 } }
    /// Processes that were killed.
    var killed: Set<Int32> { dead.withLock { $0 } }
    /// How often the database was restarted.
    var databaseRestarts: Int { restarts.load(ordering: .relaxed) }
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
    /// restarted as after a crash. Nobody is killed soon after that: what runs is to have reported since.
    private func trouble() throws {
        var random = SeededGenerator(seed: seed)
        let begin = ContinuousClock.now
        var nextRestart = begin + min(.seconds(30), (end - begin) / 2)
        var nextKill = begin + .seconds(4)
        while !isOver {
            if ContinuousClock.now >= nextRestart {
                try postgres.stopImmediately()
                usleep(300_000)
                try postgres.start()
                restarts.add(1, ordering: .relaxed)
                nextKill = ContinuousClock.now + .milliseconds(7_000)
                nextRestart = ContinuousClock.now + .seconds(30)
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

    // MARK: Users

    private func steady(_ user: Int, perMinute: Int64) {
        var random = SeededGenerator(seed: seed &+ 1_000)
        let period = Duration.seconds(60) / Int(perMinute) * 10 / 9
        var next = ContinuousClock.now
        while !isOver {
            _ = ask(user, &random, "tokens=1", interval: 0, tokens: 1)
            next += period
            pause(until: next)
        }
    }

    private func believe(_ user: Int) {
        var random = SeededGenerator(seed: seed &+ 2_000)
        while !isOver {
            let first = ask(user, &random, "tokens=1", interval: 0, tokens: 1)
            guard first.isRateRefusal, let wait = first.wait else { continue }
            pause(until: .now + .microseconds(wait))
            let second = ask(user, &random, "tokens=1", interval: 0, tokens: 1)
            // A replica or a database that is down says nothing about what was told.
            guard second.status == 200 || second.isRateRefusal else { continue }
            believed.withLock { if second.status == 200 { $0.kept += 1 } else { $0.broken += 1 } }
        }
    }

    private func crowd(_ user: Int, member: Int) {
        var random = SeededGenerator(seed: seed &* 31 &+ UInt64(user * 100 + member))
        while !isOver {
            let attempt = something(user, &random)
            if attempt.status != 200 { usleep(UInt32.random(in: 50_000...300_000, using: &random)) }
        }
    }

    private func something(_ user: Int, _ random: inout SeededGenerator) -> LedgerAttempt {
        let interval = [5, 20, 40].randomElement(using: &random) ?? 20
        let tokens = [3, 30, 100, 400].randomElement(using: &random) ?? 30
        let place = Int.random(in: 1...tokens, using: &random)
        let ordinary = "tokens=\(tokens) interval=\(interval)"
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<30: return ask(user, &random, ordinary, interval: interval, tokens: tokens)
        case 30..<55: return ask(user, &random, ordinary, interval: interval, tokens: tokens, leaves: place)
        case 55..<70: return ask(user, &random, ordinary, interval: interval, tokens: tokens, stops: place)
        case 70..<80:
            return ask(user, &random, ordinary, interval: interval, tokens: tokens, isStreamed: false)
        default:
            let fault =
                [
                    "drop_after=\(place)", "fin_after=\(place)", "error_after=\(place)", "status=500 fails=1",
                    "drop_head=1 fails=1",
                ]
                .randomElement(using: &random) ?? ""
            return ask(user, &random, "\(ordinary) \(fault)", interval: interval, tokens: tokens)
        }
    }

    /// Sends one request to any replica and does with the answer what is said.
    private func ask(
        _ user: Int, _ random: inout SeededGenerator, _ directives: String, interval: Int, tokens: Int, leaves: Int? = nil,
        stops: Int? = nil, isStreamed: Bool = true
    ) -> LedgerAttempt {
        let replica = places.withLock { $0 }.randomElement(using: &random) ?? stack.server
        let id = random.uuid()
        var attempt = LedgerAttempt(id: id, user: user, process: replica.process.pid, interval: interval, tokens: tokens)
        // It throws where a replica is gone: that is an ending like any other.
        try? converse(
            &attempt, on: replica, directives, leaves: leaves, stops: stops, isStreamed: isStreamed, byReset: random.chance(50))
        kept.withLock { $0.append(attempt) }
        return attempt
    }

    private func converse(
        _ attempt: inout LedgerAttempt, on replica: Stack.Replica, _ directives: String, leaves: Int?, stops: Int?,
        isStreamed: Bool,
        byReset: Bool
    ) throws {
        let token = tokens[attempt.user]
        let client = try stack.complete(
            "id=\(attempt.id) \(directives)", stream: isStreamed, on: replica, token: token, id: attempt.id,
            parameters: #""max_tokens":\#(attempt.tokens)"#, deadline: .seconds(40))
        let head = try client.readHead()
        attempt.status = head.status
        guard head.status == 200, isStreamed else {
            let answer = try JSONValue(parsing: client.readBody(of: head))
            attempt.code = answer["code"]?.string
            attempt.wait = head["retry-after-ms"].flatMap { Int64($0) }.map { $0 * 1_000 }
            attempt.ending = .whole
            if head.status == 200 { attempt.seen = answer["usage.completion_tokens"]?.integer ?? 0 }
            return
        }
        var stopsAt = stops
        while let event = try client.readEvent() {
            if let data = event.data, let text = try? JSONValue(parsing: data)["text"]?.string {
                attempt.seen += text.count { $0 == "k" }
            }
            if let leaves, attempt.seen >= leaves {
                attempt.ending = .left
                return byReset ? client.reset() : client.close()
            }
            if let place = stopsAt, attempt.seen >= place {
                stopsAt = nil
                // To any replica, and whatever it says: the stream ends by itself too.
                let other = places.withLock { $0[Int(attempt.process) % 3] }
                _ = try? other.client().request("POST", "/api/complete/\(attempt.id)/stop", stack.fields(token))
            }
        }
        attempt.ending = .whole
    }

    private func pause(until moment: ContinuousClock.Instant) {
        let left = moment - ContinuousClock.now
        if left > .zero { usleep(UInt32(left / .microseconds(1)) + 1) }
    }
}
