import EventLoop
import Glibc
import Testing

@testable import HTTPClient

@Suite("A cancelled exchange")
struct CancellationTests {
    @Test("leaves the line and libcurl, and hears nothing more", .timeLimit(.minutes(1)))
    func beforeConnect() async throws {
        try await onLoop { loop in
            let listener = try FullListener(io: loop.io)
            defer { listener.close() }
            var configuration = ClientConfiguration()
            configuration.maxConnecting = 2
            let client = try HTTPClient(origin: listener.origin, configuration: configuration, io: loop.io)
            let answers = (0..<200).map { _ in Recorder() }
            let exchanges = try answers.map { try client.post(to: $0) }
            #expect(await until(loop.io) { client.connector.watchedCount == 2 })
            #expect(client.connector.activeCount == 2)
            #expect(client.connector.waitingCount == 198)
            // The two that connect, and one from the midst of the line.
            for index in [0, 1, 100] { exchanges[index].cancel() }
            #expect(await until(loop.io) { client.connector.watchedCount == 2 && client.connector.waitingCount == 195 })
            for exchange in exchanges { exchange.cancel() }
            #expect(client.connector.waitingCount == 0)
            #expect(client.connector.activeCount == 0)
            #expect(client.connector.watchedCount == 0)
            await loop.io.pause(.milliseconds(30))
            #expect(answers.allSatisfy { $0.ending == nil })
            #expect(client.connector.activeCount == 0)
        }
    }

    @Test(
        "closes its connection at once before the head and in the midst of the body", .timeLimit(.minutes(1)),
        arguments: ["", "HTTP/1.1 200 OK\r\nContent-", Answers.chunkedHead, Answers.chunkedHead + "4\r\nhalf\r\n"])
    func whileWaiting(soFar: String) async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { if !soFar.isEmpty { $0.send(soFar) } }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            let answer = Recorder()
            let exchange = try client.post(to: answer)
            #expect(await until(loop.io) { server.requests.count == 1 })
            await loop.io.pause(.milliseconds(20))
            #expect(answer.text == (soFar.hasSuffix("half\r\n") ? "half" : ""))
            exchange.cancel()
            answer.isCancelled = true
            exchange.cancel()
            exchange.pause()
            exchange.resume()
            #expect(await until(loop.io) { server.peers.first?.isLeft == true })
            #expect(answer.ending == nil)
            #expect(answer.lateCalls == 0)
            #expect(client.idleCount == 0)
        }
    }

    enum Moment: CaseIterable { case head, firstPiece, readEnded }

    @Test("hears nothing more when it was cancelled inside a callback", .timeLimit(.minutes(1)), arguments: Moment.allCases)
    func insideCallbacks(moment: Moment) async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) {
                $0.send(Answers.chunkedHead + "1\r\na\r\n1\r\nb\r\n")
            }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            let answer = Recorder()
            var exchange: Exchange?
            let cancel = {
                exchange?.cancel()
                answer.isCancelled = true
            }
            switch moment {
            case .head: answer.onHead = cancel
            case .firstPiece: answer.onBody = cancel
            case .readEnded: answer.onReadEnded = cancel
            }
            exchange = try client.post(to: answer)
            #expect(await until(loop.io) { server.peers.first?.isLeft == true })
            #expect(answer.isCancelled)
            #expect(answer.lateCalls == 0)
            #expect(answer.ending == nil)
            #expect(answer.text == ["", "a", "ab"][Moment.allCases.firstIndex(of: moment) ?? 0])
        }
    }

    @Test("may be cancelled once more, and others be sent, inside its last callback", .timeLimit(.minutes(1)))
    func insideLastCallback() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { $0.send(Answers.ok) }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            let first = Recorder()
            let second = Recorder()
            var exchange: Exchange?
            var others: [Exchange] = []
            first.onEnd = {
                exchange?.cancel()
                if let other = try? client.post(to: second) { others.append(other) }
            }
            exchange = try client.post(to: first)
            #expect(await first.ended() == .completed)
            #expect(await second.ended() == .completed)
            // The cancel did not touch the connection, which had gone back already.
            #expect(server.peers.count == 1)
        }
    }

    @Test("sees an exchange cancel another whose events wait in the same batch", .timeLimit(.minutes(1)))
    func cancelsAnother() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io)
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            let answers = (0..<2).map { _ in Recorder() }
            let exchanges = try answers.map { try client.post(to: $0) }
            for index in 0..<2 {
                answers[index].onHead = {
                    exchanges[1 - index].cancel()
                    answers[1 - index].isCancelled = true
                }
            }
            #expect(await until(loop.io) { server.requests.count == 2 })
            for peer in server.peers { peer.send(Answers.ok) }
            #expect(await until(loop.io) { answers.contains { $0.ending != nil } })
            #expect(answers.filter { $0.ending == .completed }.count == 1)
            #expect(answers.allSatisfy { $0.lateCalls == 0 })
        }
    }

    @Test(
        "is one of 1,500 that leave in one batch, and all that they held is let go", .timeLimit(.minutes(1)),
        arguments: [true, false])
    func massDeparture(byReset: Bool) async throws {
        // Two descriptors each; the usual soft limit is 1,024.
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        try #require(limit.rlim_cur >= 4_096)

        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) {
                $0.send(Answers.chunkedHead)
                $0.sendChunk("begun")
            }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            let answers = (0..<1_500).map { _ in Recorder() }
            let living = Living()
            var exchanges = try answers.map { try client.post(to: $0) }
            living.exchanges = exchanges.map { Living.Reference(exchange: $0) }
            #expect(await until(loop.io) { answers.allSatisfy { $0.bodyCount == 5 } })
            if byReset {
                for peer in server.peers { peer.reset() }
                #expect(await until(loop.io) { answers.allSatisfy { $0.ending == .failed(.reset, isAfterHead: true) } })
            } else {
                // All have events in the batch in which the first one cancels the others.
                let all = exchanges
                var hasCancelled = false
                for answer in answers {
                    answer.onBody = {
                        if hasCancelled { return }
                        hasCancelled = true
                        for exchange in all { exchange.cancel() }
                        for answer in answers { answer.isCancelled = true }
                    }
                }
                for peer in server.peers { peer.sendChunk("more") }
                #expect(await until(loop.io) { server.peers.allSatisfy { $0.isLeft } })
                #expect(answers.allSatisfy { $0.ending == nil && $0.lateCalls == 0 })
            }
            exchanges = []
            for answer in answers { answer.onBody = {} }
            #expect(await until(loop.io) { living.count == 0 })
            #expect(client.idleCount == 0)
        }
    }

    /// Which exchanges still exist.
    private final class Living {
        struct Reference { weak var exchange: Exchange? }
        var exchanges: [Reference] = []
        var count: Int { exchanges.filter { $0.exchange != nil }.count }
    }
}
