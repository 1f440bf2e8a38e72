import EventLoop
import Testing

@testable import HTTPClient

@Suite("A time-out")
struct TimeoutTests {
    @Test("ends an exchange whose answer never begins", .timeLimit(.minutes(1)))
    func firstByte() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io)
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            let answer = try await client.post(timeouts: ExchangeTimeouts(connect: .seconds(30), firstByte: .milliseconds(80)))
            #expect(answer.ending == .failed(.firstByteTimedOut, isAfterHead: false))
            #expect(await until(loop.io) { server.peers.first?.isLeft == true })
        }
    }

    @Test("ends an exchange whose request is not taken", .timeLimit(.minutes(1)))
    func deafServer() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io)
            defer { server.stop() }
            server.onAccept = { $0.isDeaf = true }
            let client = try HTTPClient(of: server, io: loop.io)
            let body = String(repeating: "x", count: 16 << 20)
            let timeouts = ExchangeTimeouts(connect: .seconds(30), firstByte: .milliseconds(100))
            let answer = try await client.post(body, timeouts: timeouts)
            #expect(answer.ending == .failed(.firstByteTimedOut, isAfterHead: false))
        }
    }

    @Test("is over with the first byte: from there on the receiver judges", .timeLimit(.minutes(1)))
    func begun() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { $0.send("HTTP/1.1 2") }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            let answer = Recorder()
            let timeouts = ExchangeTimeouts(connect: .seconds(30), firstByte: .milliseconds(80))
            let exchange = try client.post(timeouts: timeouts, to: answer)
            await loop.io.pause(.milliseconds(250))
            #expect(answer.ending == nil)
            exchange.cancel()
        }
    }

    @Test(
        "for connecting covers a server that does not accept, and waiting in line behind it, which is not the server's fault",
        .timeLimit(.minutes(1)))
    func connect() async throws {
        try await onLoop { loop in
            let listener = try FullListener(io: loop.io)
            defer { listener.close() }
            var configuration = ClientConfiguration()
            configuration.maxConnecting = 2
            let client = try HTTPClient(origin: listener.origin, configuration: configuration, io: loop.io)
            let answers = (0..<5).map { _ in Recorder() }
            for answer in answers {
                _ = try client.post(timeouts: ExchangeTimeouts(connect: .milliseconds(150)), to: answer)
            }
            for answer in answers[..<2] { #expect(await answer.ended() == .failed(.connectTimedOut, isAfterHead: false)) }
            for answer in answers[2...] { #expect(await answer.ended() == .failed(.crowded, isAfterHead: false)) }
            #expect(await until(loop.io) { client.connector.activeCount == 0 })
            #expect(client.connector.waitingCount == 0)
            #expect(client.connector.watchedCount == 0)
        }
    }
}

/// A listener whose queue of connections is full: further ones are neither accepted nor refused.
final class FullListener {
    let origin: Origin
    private let descriptor: Int32
    private var fillers: [Int32] = []

    init(io: LoopIO) throws {
        descriptor = try Socket.listen(host: "127.0.0.1", port: 0, backlog: 0)
        let port = Socket.localPort(of: descriptor)
        origin = try Origin(baseURL: "http://127.0.0.1:\(port)")
        for _ in 0..<4 { fillers.append(try Socket.connect(ipv4: "127.0.0.1", port: port)) }
    }

    func close() { for descriptor in fillers + [descriptor] { Socket.close(descriptor) } }
}
