import EventLoop
import Testing

@testable import HTTPClient

@Suite("A paused exchange")
struct PauseTests {
    private static let size = 8 << 20

    /// Bytes of which each position can be told from its neighbours.
    private static let pattern = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
        for index in buffer.indices { buffer[index] = UInt8(truncatingIfNeeded: index &* 31 &+ index >> 8) }
        count = size
    }

    private static func answerWithAll(_ peer: Peer) {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
        peer.send(pattern)
    }

    @Test("that comes with the first bytes of a long body lets no more than 32 KiB through", .timeLimit(.minutes(1)))
    func readSize() async throws {
        try await onLoop { loop in
            let length = 4 << 20
            let server = try ScriptedServer(io: loop.io) {
                $0.send("HTTP/1.1 200 OK\r\nContent-Length: \(length)\r\n\r\n" + String(repeating: "x", count: length))
            }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            let answer = Recorder()
            answer.keepsBody = false
            let exchange = try client.post(to: answer)
            answer.onBody = { exchange.pause() }
            var seen = 0
            while answer.ending == nil {
                #expect(await until(loop.io) { answer.ending != nil || answer.bodyCount > seen })
                #expect(answer.bodyCount - seen <= 32 * 1024)
                seen = answer.bodyCount
                exchange.resume()
            }
            #expect(answer.ending == .completed)
            #expect(answer.bodyCount == length)
            #expect(answer.largestPiece <= 32 * 1024)
        }
    }

    @Test("reads nothing, so that the sender is held back, and loses nothing", .timeLimit(.minutes(1)))
    func holdsBack() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io, onRequest: Self.answerWithAll)
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            let answer = Recorder()
            var exchange: Exchange?
            answer.onBody = { if answer.pieces == 1 { exchange?.pause() } }
            exchange = try client.post(to: answer)
            #expect(await until(loop.io) { answer.pieces == 1 })
            await loop.io.pause(.milliseconds(100))
            #expect(answer.bodyCount <= 64 * 1024)
            #expect(server.peers[0].pendingCount > 0)
            exchange?.resume()
            #expect(await answer.ended() == .completed)
            #expect(answer.body == Self.pattern)
        }
    }

    @Test("may pause at every piece and be resumed in any place", .timeLimit(.minutes(1)), arguments: 0..<3)
    func slowConsumer(place: Int) async throws {
        try await onLoop { loop in
            let io = loop.io
            let server = try ScriptedServer(io: io, onRequest: Self.answerWithAll)
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: io)
            let answer = Recorder()
            var exchange: Exchange?
            answer.onBody = {
                exchange?.pause()
                switch place {
                case 0: exchange?.resume()
                case 1: io.atEndOfTurn { exchange?.resume() }
                default: break
                }
            }
            answer.onReadEnded = { if place == 2 { exchange?.resume() } }
            exchange = try client.post(to: answer)
            #expect(await answer.ended() == .completed)
            #expect(answer.body == Self.pattern)
            answer.onBody = {}
        }
    }

    @Test("does not time out for its first byte, but does after it was resumed", .timeLimit(.minutes(1)))
    func firstByte() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io)
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            let answer = Recorder()
            let timeouts = ExchangeTimeouts(connect: .seconds(30), firstByte: .milliseconds(80))
            let exchange = try client.post(timeouts: timeouts, to: answer)
            exchange.pause()
            await loop.io.pause(.milliseconds(250))
            #expect(answer.ending == nil)
            exchange.resume()
            #expect(await answer.ended() == .failed(.firstByteTimedOut, isAfterHead: false))
        }
    }

    @Test("learns of an end that came meanwhile when it is resumed", .timeLimit(.minutes(1)), arguments: [true, false])
    func endedMeanwhile(isComplete: Bool) async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) {
                $0.send(Answers.chunkedHead)
                $0.sendChunk("x")
            }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            let answer = Recorder()
            var exchange: Exchange?
            answer.onBody = { if answer.pieces == 1 { exchange?.pause() } }
            exchange = try client.post(to: answer)
            #expect(await until(loop.io) { answer.pieces == 1 })
            server.peers[0].sendChunk("y")
            if isComplete { server.peers[0].send(Answers.lastChunk) }
            server.peers[0].closeWhenSent()
            await loop.io.pause(.milliseconds(30))
            #expect(answer.ending == nil)
            exchange?.resume()
            #expect(await answer.ended() == (isComplete ? .completed : .failed(.truncated, isAfterHead: true)))
            #expect(answer.text == "xy")
            #expect(client.idleCount == 0)
        }
    }

    @Test("may be cancelled", .timeLimit(.minutes(1)))
    func cancelled() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io, onRequest: Self.answerWithAll)
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            let answer = Recorder()
            var exchange: Exchange?
            answer.onBody = { exchange?.pause() }
            exchange = try client.post(to: answer)
            #expect(await until(loop.io) { answer.pieces == 1 })
            exchange?.resume()
            exchange?.cancel()
            answer.isCancelled = true
            #expect(await until(loop.io) { server.peers.first?.isLeft == true || server.peers.first?.isClosed == true })
            #expect(answer.lateCalls == 0)
        }
    }
}
