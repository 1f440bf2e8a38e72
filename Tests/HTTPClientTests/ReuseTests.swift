import EventLoop
import Testing

@testable import HTTPClient

@Suite("A connection")
struct ReuseTests {
    @Test(
        "is used again after a complete answer", .timeLimit(.minutes(1)),
        arguments: [Answers.ok, Answers.chunkedHead + "2\r\nok\r\n0\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n"])
    func keepsAlive(answer: String) async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { $0.send(answer) }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            for _ in 0..<5 {
                #expect(try await client.post().ending == .completed)
                #expect(client.idleCount == 1)
            }
            #expect(server.peers.count == 1)
            #expect(server.requests.count == 5)
        }
    }

    @Test(
        "is closed where it cannot carry another request", .timeLimit(.minutes(1)),
        arguments: [
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            // Bytes behind the answer: the next request would take them for its own.
            Answers.ok + "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother",
        ])
    func closes(answer: String) async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { $0.send(answer) }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            for _ in 0..<2 { #expect(try await client.post().text == "ok") }
            #expect(client.idleCount == 0)
            #expect(server.peers.count == 2)
            #expect(await until(loop.io) { server.peers.allSatisfy { $0.isLeft } })
        }
    }

    @Test("leaves the pool when the server closes, breaks or abuses it", .timeLimit(.minutes(1)), arguments: 0..<3)
    func idleEvents(kind: Int) async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { $0.send(Answers.ok) }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            _ = try await client.post()
            #expect(client.idleCount == 1)
            switch kind {
            case 0: server.peers[0].close()
            case 1: server.peers[0].reset()
            default: server.peers[0].send("HTTP/1.1 408 Request Timeout\r\n\r\n")
            }
            #expect(await until(loop.io) { client.idleCount == 0 })
            #expect(try await client.post().ending == .completed)
            #expect(server.peers.count == 2)
        }
    }

    @Test("is closed after the idle time-out, and only then", .timeLimit(.minutes(1)))
    func idleTimeout() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { $0.send(Answers.ok) }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io) { $0.idleTimeout = .seconds(1) }
            _ = try await client.post()
            await loop.io.pause(.milliseconds(60))
            #expect(client.idleCount == 1)
            #expect(await until(loop.io) { client.idleCount == 0 })
            #expect(await until(loop.io) { server.peers.first?.isLeft == true })
        }
    }

    @Test("is kept only up to the bound; the latest is used first", .timeLimit(.minutes(1)))
    func bound() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io)
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io) { $0.maxIdle = 2 }
            let answers = (0..<3).map { _ in Recorder() }
            for answer in answers { _ = try client.post(to: answer) }
            #expect(await until(loop.io) { server.requests.count == 3 })
            for (index, peer) in server.peers.enumerated() {
                peer.send(Answers.ok)
                #expect(await until(loop.io) { answers.filter { $0.ending == .completed }.count == index + 1 })
            }
            #expect(client.idleCount == 2)
            #expect(await until(loop.io) { server.peers.first?.isLeft == true })
            server.onRequest = { $0.send(Answers.ok) }
            _ = try await client.post()
            #expect(server.peers[2].requests.count == 2)
        }
    }

    @Test(
        "that went stale costs the request nothing: it is sent once more", .timeLimit(.minutes(1)), arguments: [true, false])
    func stale(byReset: Bool) async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { $0.send(Answers.ok) }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            _ = try await client.post("first")
            server.onRequest = { peer in
                if peer.requests.count > 1 { return byReset ? peer.reset() : peer.close() }
                peer.send(Answers.ok)
            }
            let answer = try await client.post("second")
            #expect(answer.ending == .completed)
            #expect(answer.text == "ok")
            #expect(server.requests.map { String(decoding: $0.body, as: UTF8.self) } == ["first", "second", "second"])
            #expect(server.peers.count == 2)
        }
    }

    @Test("closed together with the sending of the request costs nothing either", .timeLimit(.minutes(1)))
    func closedBeforeSending() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { $0.send(Answers.ok) }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            for isReset in [true, false] {
                _ = try await client.post()
                let before = server.peers.count
                // In one turn: the client cannot have seen the end before it sends.
                if isReset { server.peers.last?.reset() } else { server.peers.last?.close() }
                #expect(client.idleCount == 1)
                #expect(try await client.post().ending == .completed)
                #expect(server.peers.count == before + 1)
            }
        }
    }

    @Test(
        "lost long after it took the request is not replaced: the work may have been done", .timeLimit(.minutes(1)),
        arguments: [true, false])
    func lostLate(byReset: Bool) async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { $0.send(Answers.ok) }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            _ = try await client.post()
            let answer = Recorder()
            server.onRequest = { _ in }
            _ = try client.post("paid", to: answer)
            await loop.io.pause(.milliseconds(1_200))
            #expect(server.requests.count == 2)
            if byReset { server.peers[0].reset() } else { server.peers[0].close() }
            #expect(await answer.ended() == .failed(byReset ? .reset : .truncated, isAfterHead: false))
            #expect(server.requests.count == 2)
        }
    }

    @Test("is not tried a third time", .timeLimit(.minutes(1)))
    func retriesOnce() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { $0.send(Answers.ok) }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            _ = try await client.post()
            server.onRequest = { $0.close() }
            #expect(try await client.post().ending == .failed(.truncated, isAfterHead: false))
            #expect(server.requests.count == 3)
        }
    }

    @Test("is not replaced once a byte of an answer has come", .timeLimit(.minutes(1)))
    func noRetryAfterAByte() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { $0.send(Answers.ok) }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            _ = try await client.post()
            server.onRequest = {
                $0.send("H")
                $0.closeWhenSent()
            }
            #expect(try await client.post().ending == .failed(.truncated, isAfterHead: false))
            #expect(server.requests.count == 2)
        }
    }

    @Test("is not made again after a time-out", .timeLimit(.minutes(1)))
    func noRetryAfterTimeout() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { $0.send(Answers.ok) }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            _ = try await client.post()
            server.onRequest = { _ in }
            let answer = try await client.post(timeouts: ExchangeTimeouts(connect: .seconds(30), firstByte: .milliseconds(60)))
            #expect(answer.ending == .failed(.firstByteTimedOut, isAfterHead: false))
            #expect(server.requests.count == 2)
        }
    }
}
