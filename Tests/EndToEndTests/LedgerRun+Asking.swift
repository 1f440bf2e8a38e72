import Foundation
import StrictJSON
import Synchronization
import TestSupport

/// How the clients of a run talk to its replicas: to any of them, each time that they send something.
extension LedgerRun {
    /// Sends a request, once more where it says so, and does with the answer what it says.
    /// - Returns: the attempt that was answered with a completion, if any was; otherwise the last one.
    func ask(_ request: LedgerRequest, _ random: inout SeededGenerator) -> LedgerAttempt {
        switch request.repetition {
        case .never: return send(request, &random)
        case .twin: return twins(request, &random)
        case .midway(let place):
            var isDue = true
            return send(request, &random) { seen, random in
                guard isDue, seen >= place else { return }
                isDue = false
                _ = self.send(request.again, &random)
            }
        case .after:
            let attempt = send(request, &random)
            let again = send(request.again, &random)
            return attempt.status == 200 ? attempt : again
        case .retried(let count):
            var attempt = send(request, &random)
            for _ in 0..<count where attempt.isWorthRepeating {
                usleep(UInt32.random(in: 20_000...400_000, using: &random))
                let again = send(request.again, &random)
                if attempt.status == 200 { break }
                attempt = again
            }
            return attempt
        }
    }

    private func twins(_ request: LedgerRequest, _ random: inout SeededGenerator) -> LedgerAttempt {
        let generators = [SeededGenerator(seed: random.next()), SeededGenerator(seed: random.next())]
        let attempts = Mutex<[LedgerAttempt]>([])
        try? concurrently(2) { index in
            var random = generators[index]
            let attempt = self.send(index == 0 ? request : request.again, &random)
            attempts.withLock { $0.append(attempt) }
        }
        let both = attempts.withLock { $0 }
        return both.first { $0.status == 200 } ?? both[0]
    }

    /// Sends it once and reads the answer.
    /// - Parameter onText: what else is done when so many tokens have been read; called for each event.
    private func send(
        _ request: LedgerRequest, _ random: inout SeededGenerator,
        onText: (_ seen: Int, inout SeededGenerator) -> Void = { _, _ in }
    ) -> LedgerAttempt {
        let replica = places.withLock { $0 }.randomElement(using: &random) ?? stack.server
        var attempt = LedgerAttempt(request, process: replica.process.pid)
        // It throws where a replica is gone: that is an ending like any other.
        try? converse(&attempt, on: replica) { onText($0, &random) }
        streaming.withLock { $0[request.id] = nil }
        kept.withLock { $0.append(attempt) }
        return attempt
    }

    private func converse(_ attempt: inout LedgerAttempt, on replica: Stack.Replica, onText: (Int) -> Void) throws {
        let request = attempt.request
        let token = tokens[request.user]
        let client = try stack.complete(
            "id=\(request.id) tokens=\(request.tokens) interval=\(request.interval) \(request.fault)", stream: request.isStreamed,
            on: replica, token: token, id: request.id, parameters: #""max_tokens":\#(request.tokens)"#, deadline: .seconds(40))
        let head = try client.readHead()
        attempt.status = head.status
        attempt.answered = .now
        guard head.status == 200, request.isStreamed else {
            let answer = try JSONValue(parsing: client.readBody(of: head))
            attempt.code = answer["code"]?.string
            attempt.wait = head["retry-after-ms"].flatMap { Int64($0) }.map { $0 * 1_000 }
            attempt.ending = .whole
            if head.status == 200 { attempt.seen = answer["usage.completion_tokens"]?.integer ?? 0 }
            return
        }
        streaming.withLock { $0[request.id] = request }
        var hasStopped = false
        while let event = try client.readEvent() {
            if let data = event.data, let text = try? JSONValue(parsing: data)["text"]?.string {
                attempt.seen += text.count { $0 == "k" }
            }
            switch request.manner {
            case .reads: break
            case .leaves(let place, let byReset):
                guard attempt.seen >= place else { break }
                attempt.ending = .left
                return byReset ? client.reset() : client.close()
            case .stops(let place):
                guard attempt.seen >= place, !hasStopped else { break }
                hasStopped = true
                // To any replica, and whatever it says: the stream ends by itself too.
                let other = places.withLock { $0[Int(attempt.process) % 3] }
                _ = try? other.client().request("POST", "/api/complete/\(request.id)/stop", stack.fields(token))
            }
            onText(attempt.seen)
        }
        attempt.ending = .whole
    }
}
