import EventLoop
import Testing

@testable import HTTPClient

@Suite("An exchange")
struct ExchangeTests {
    @Test("sends the request and gives the answer", .timeLimit(.minutes(1)))
    func roundTrip() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) {
                $0.send("HTTP/1.1 201 Made\r\nX-Id: 7\r\nContent-Length: 2\r\n\r\nok")
            }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            let answer = try await client.post(#"{"prompt":"x"}"#)
            #expect(answer.ending == .completed)
            #expect(answer.head?.status == 201)
            #expect(answer.head?.value(of: "x-id") == "7")
            #expect(answer.text == "ok")
            #expect(server.requests[0].head.hasPrefix("POST /completions HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\n"))
            #expect(server.requests[0].body == Array(#"{"prompt":"x"}"#.utf8))
        }
    }

    @Test(
        "gives the same answer byte by byte", .timeLimit(.minutes(1)),
        arguments: [
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        ])
    func byteByByte(answer: String) async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { peer in
                var rest = Array(answer.utf8)
                // One byte a turn of the loop: each is a wake-up of its own.
                func next() {
                    peer.send([rest.removeFirst()])
                    if !rest.isEmpty { peer.io.atEndOfTurn(next) }
                }
                next()
            }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            let answer = try await client.post()
            #expect(answer.ending == .completed)
            #expect(answer.text == "hello")
            #expect(answer.head?.status == 200)
            #expect(client.idleCount == 1)
        }
    }

    @Test("ends where the connection ends when the answer has no other framing", .timeLimit(.minutes(1)))
    func untilClose() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { peer in
                peer.send("HTTP/1.1 200 OK\r\n\r\nall of it")
                peer.closeWhenSent()
            }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            let answer = try await client.post()
            #expect(answer.ending == .completed)
            #expect(answer.text == "all of it")
            #expect(client.idleCount == 0)
        }
    }

    @Test("gives a body of 500 like any other, and keeps the connection", .timeLimit(.minutes(1)))
    func serverError() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { $0.send("HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops") }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            let answer = try await client.post()
            #expect(answer.ending == .completed)
            #expect(answer.head?.status == 500)
            #expect(answer.text == "oops")
            #expect(client.idleCount == 1)
        }
    }

    struct Cut: Sendable {
        let answer: String
        let isReset: Bool
        let expected: Recorder.Ending
    }

    @Test(
        "tells how a connection was cut, and whether that was after the head", .timeLimit(.minutes(1)),
        arguments: [
            Cut(answer: "", isReset: false, expected: .failed(.truncated, isAfterHead: false)),
            Cut(answer: "", isReset: true, expected: .failed(.reset, isAfterHead: false)),
            Cut(answer: "HTTP/1.1 200 OK\r\nContent-Le", isReset: false, expected: .failed(.truncated, isAfterHead: false)),
            Cut(
                answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal", isReset: false,
                expected: .failed(.truncated, isAfterHead: true)),
            Cut(
                answer: Answers.chunkedHead + "5\r\nhalf", isReset: false, expected: .failed(.truncated, isAfterHead: true)),
            Cut(
                answer: Answers.chunkedHead + "4\r\nhalf\r\n", isReset: false,
                expected: .failed(.truncated, isAfterHead: true)),
        ])
    func cuts(cut: Cut) async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { peer in
                if !cut.answer.isEmpty { peer.send(cut.answer) }
                if cut.isReset { peer.reset() } else { peer.closeWhenSent() }
            }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            let answer = try await client.post()
            #expect(answer.ending == cut.expected)
            #expect(server.requests.count == 1)
        }
    }

    @Test("tells a reset in the midst of the body", .timeLimit(.minutes(1)))
    func resetMidBody() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) {
                $0.send(Answers.chunkedHead)
                $0.sendChunk("half")
            }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            let answer = Recorder()
            answer.onBody = { server.peers[0].reset() }
            _ = try client.post(to: answer)
            #expect(await answer.ended() == .failed(.reset, isAfterHead: true))
            #expect(answer.text == "half")
        }
    }

    @Test(
        "refuses an answer that two readers could understand differently, and closes", .timeLimit(.minutes(1)),
        arguments: [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "nonsense\r\n\r\n",
        ])
    func malformed(text: String) async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { $0.send(text) }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            let answer = try await client.post()
            guard case .failed(.malformed, isAfterHead: false) = answer.ending else {
                Issue.record("ended with \(String(describing: answer.ending))")
                return
            }
            #expect(await until(loop.io) { server.peers.first?.isLeft == true })
            #expect(client.idleCount == 0)
        }
    }

    @Test("fails on a malformed chunk after what was good has been delivered", .timeLimit(.minutes(1)))
    func malformedChunk() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { $0.send(Answers.chunkedHead + "4\r\ngood\r\nzz\r\n") }
            defer { server.stop() }
            let answer = try await HTTPClient(of: server, io: loop.io).post()
            guard case .failed(.malformed, isAfterHead: true) = answer.ending else {
                Issue.record("ended with \(String(describing: answer.ending))")
                return
            }
            #expect(answer.text == "good")
        }
    }

    @Test("delivers 4,000 events that come at once in few wake-ups", .timeLimit(.minutes(1)))
    func manyEvents() async throws {
        try await onLoop { loop in
            let event = #"data: {"choices":[{"text":" word"}]}"# + "\n\n"
            let server = try ScriptedServer(io: loop.io) { peer in
                let chunk = String(event.utf8.count, radix: 16) + "\r\n" + event + "\r\n"
                peer.send(Answers.chunkedHead + String(repeating: chunk, count: 4_000) + Answers.lastChunk)
            }
            defer { server.stop() }
            let answer = try await HTTPClient(of: server, io: loop.io).post()
            #expect(answer.ending == .completed)
            #expect(answer.text == String(repeating: event, count: 4_000))
            #expect(answer.pieces >= 4_000)
            #expect(answer.wakeUps < 200)
        }
    }

    @Test("says once per wake-up that everything there was has been read", .timeLimit(.minutes(1)))
    func readEnded() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { peer in
                peer.send(Answers.chunkedHead + "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n")
            }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            let answer = Recorder()
            answer.onReadEnded = {
                if answer.wakeUps == 1 { server.peers[0].send("1\r\nd\r\n" + Answers.lastChunk) }
            }
            _ = try client.post(to: answer)
            #expect(await answer.ended() == .completed)
            #expect(answer.text == "abcd")
            #expect(answer.pieces == 4)
            // The second wake-up ended the answer: `completed` stands for its `readEnded`.
            #expect(answer.wakeUps == 1)
        }
    }

    @Test("sends a request that is larger than the socket takes at once", .timeLimit(.minutes(1)))
    func largeRequest() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { $0.send(Answers.ok) }
            defer { server.stop() }
            server.onAccept = { $0.isDeaf = true }
            let client = try HTTPClient(of: server, io: loop.io)
            let answer = Recorder()
            let body = String(repeating: "0123456789abcdef", count: 1 << 20)
            _ = try client.post(body, to: answer)
            #expect(await until(loop.io) { !server.peers.isEmpty })
            await loop.io.pause(.milliseconds(50))
            server.peers[0].isDeaf = false
            server.peers[0].ready(.readable)
            #expect(await answer.ended() == .completed)
            #expect(server.requests.first?.body.count == body.utf8.count)
            #expect(client.idleCount == 1)
        }
    }

    @Test("takes an answer that comes before the request was read, and does not keep that connection", .timeLimit(.minutes(1)))
    func earlyAnswer() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io)
            defer { server.stop() }
            server.onAccept = {
                $0.isDeaf = true
                $0.send("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
            }
            let client = try HTTPClient(of: server, io: loop.io)
            let answer = try await client.post(String(repeating: "x", count: 16 << 20))
            #expect(answer.ending == .completed)
            #expect(answer.head?.status == 413)
            #expect(client.idleCount == 0)
        }
    }

    @Test("reports a refused connection without calling back before `send` has returned", .timeLimit(.minutes(1)))
    func refused() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io)
            let client = try HTTPClient(of: server, io: loop.io)
            server.stop()
            let answer = Recorder()
            _ = try client.post(to: answer)
            #expect(answer.ending == nil)
            guard case .failed(.connect(let text), isAfterHead: false) = await answer.ended() else {
                Issue.record("ended with \(String(describing: answer.ending))")
                return
            }
            #expect(text.contains("\(server.port)"))
        }
    }

    @Test("fails after the client was closed, also without calling back at once", .timeLimit(.minutes(1)))
    func closedClient() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { $0.send(Answers.ok) }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            _ = try await client.post()
            #expect(client.idleCount == 1)
            client.close()
            #expect(client.idleCount == 0)
            #expect(await until(loop.io) { server.peers.first?.isLeft == true })
            let answer = Recorder()
            _ = try client.post(to: answer)
            #expect(answer.ending == nil)
            #expect(await answer.ended() == .failed(.connect("the client is closed"), isAfterHead: false))
        }
    }
}
