import EventLoop
import Glibc
import TestSupport
import Testing

@testable import HTTPClient

@Suite("A TLS connection")
struct TLSTests {
    let certificates: Certificates

    init() throws {
        // OpenSSL writes without MSG_NOSIGNAL.
        signal(SIGPIPE, SIG_IGN)
        certificates = try Certificates.shared.get()
    }

    @Test("carries exchanges, is kept and used again", .timeLimit(.minutes(1)), arguments: ["127.0.0.1", "localhost"])
    func keepsAlive(host: String) async throws {
        try await onLoop { [certificates] loop in
            let server = try Self.server(certificates.chain, certificates.key, loop.io)
            defer { server.stop() }
            let client = try Self.client(host, server, certificates.authority, loop.io)
            for _ in 0..<3 {
                let answer = try await client.post()
                #expect(answer.ending == .completed)
                #expect(answer.text == "ok")
                #expect(client.idleCount == 1)
            }
            #expect(server.peers.count == 1)
            #expect(server.requests[0].head.contains("Host: \(host):\(server.port)\r\n"))
        }
    }

    @Test("is refused without the authority that signed its certificate", .timeLimit(.minutes(1)))
    func unknownAuthority() async throws {
        try await onLoop { [certificates] loop in
            let server = try Self.server(certificates.chain, certificates.key, loop.io)
            defer { server.stop() }
            let client = try Self.client("127.0.0.1", server, nil, loop.io)
            try await Self.expectRefusal(client, server, saying: "certificate was refused")
        }
    }

    @Test(
        "is refused when its certificate names somebody else", .timeLimit(.minutes(1)), arguments: ["127.0.0.1", "localhost"])
    func wrongName(host: String) async throws {
        try await onLoop { [certificates] loop in
            let server = try Self.server(certificates.strangerChain, certificates.strangerKey, loop.io)
            defer { server.stop() }
            let client = try Self.client(host, server, certificates.authority, loop.io)
            try await Self.expectRefusal(client, server, saying: "mismatch")
        }
    }

    @Test("is refused when its certificate has expired", .timeLimit(.minutes(1)))
    func expired() async throws {
        try await onLoop { [certificates] loop in
            let server = try Self.server(certificates.expiredChain, certificates.key, loop.io)
            defer { server.stop() }
            let client = try Self.client("127.0.0.1", server, certificates.authority, loop.io)
            try await Self.expectRefusal(client, server, saying: "expired")
        }
    }

    @Test("is refused where the server speaks no TLS", .timeLimit(.minutes(1)))
    func plainServer() async throws {
        try await onLoop { [certificates] loop in
            let server = try ScriptedServer(io: loop.io)
            defer { server.stop() }
            server.onAccept = { $0.send("HTTP/1.1 400 Bad Request\r\n\r\n") }
            let client = try Self.client("127.0.0.1", server, certificates.authority, loop.io)
            try await Self.expectRefusal(client, server, saying: "")
        }
    }

    @Test("that never finishes its handshake ends by the connect time-out, or when cancelled", .timeLimit(.minutes(1)))
    func silentHandshake() async throws {
        try await onLoop { [certificates] loop in
            let server = try ScriptedServer(io: loop.io)
            defer { server.stop() }
            let client = try Self.client("127.0.0.1", server, certificates.authority, loop.io)
            // Long enough that the server, on the same loop, has accepted by then on a machine that is busy.
            let answer = try await client.post(timeouts: ExchangeTimeouts(connect: .seconds(10)))
            #expect(answer.ending == .failed(.connectTimedOut, isAfterHead: false))
            #expect(client.connector.activeCount == 0)
            #expect(await until(loop.io) { server.peers.first?.isLeft == true })

            let cancelled = Recorder()
            let exchange = try client.post(to: cancelled)
            #expect(await until(loop.io) { server.peers.count == 2 })
            #expect(client.connector.activeCount == 1)
            exchange.cancel()
            #expect(client.connector.activeCount == 0)
            #expect(await until(loop.io) { server.peers.last?.isLeft == true })
            #expect(cancelled.ending == nil)
        }
    }

    @Test("gives a large answer whole, also to a slow consumer", .timeLimit(.minutes(1)), arguments: [false, true])
    func largeAnswer(pauses: Bool) async throws {
        try await onLoop { [certificates] loop in
            let io = loop.io
            let size = 2 << 20
            let server = try Self.server(certificates.chain, certificates.key, io)
            defer { server.stop() }
            server.onRequest = { peer in
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
                peer.send((0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) })
            }
            let client = try Self.client("127.0.0.1", server, certificates.authority, io)
            let answer = Recorder()
            var exchange: Exchange?
            answer.onBody = {
                guard pauses else { return }
                exchange?.pause()
                io.atEndOfTurn { exchange?.resume() }
            }
            exchange = try client.post(to: answer)
            #expect(await answer.ended() == .completed)
            #expect(answer.body == (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) })
            #expect(client.idleCount == 1)
            answer.onBody = {}
        }
    }

    @Test("sends a request larger than the socket takes at once", .timeLimit(.minutes(1)))
    func largeRequest() async throws {
        try await onLoop { [certificates] loop in
            let server = try Self.server(certificates.chain, certificates.key, loop.io)
            defer { server.stop() }
            let client = try Self.client("127.0.0.1", server, certificates.authority, loop.io)
            let answer = try await client.post(String(repeating: "0123456789abcdef", count: 1 << 18))
            #expect(answer.ending == .completed)
            #expect(server.requests.first?.body.count == 4 << 20)
        }
    }

    @Test("cut without its farewell is no proper end of an answer", .timeLimit(.minutes(1)), arguments: [true, false])
    func cut(saysFarewell: Bool) async throws {
        try await onLoop { [certificates] loop in
            let server = try Self.server(certificates.chain, certificates.key, loop.io)
            defer { server.stop() }
            server.onRequest = { peer in
                peer.send("HTTP/1.1 200 OK\r\n\r\nhalf or whole?")
                if saysFarewell { peer.closeWhenSent() } else { peer.cutWithoutFarewell() }
            }
            let client = try Self.client("127.0.0.1", server, certificates.authority, loop.io)
            let answer = try await client.post()
            #expect(answer.ending == (saysFarewell ? .completed : .failed(.reset, isAfterHead: true)))
            #expect(answer.text == "half or whole?")
        }
    }

    @Test("leaves the pool when the server closes it", .timeLimit(.minutes(1)))
    func idleClose() async throws {
        try await onLoop { [certificates] loop in
            let server = try Self.server(certificates.chain, certificates.key, loop.io)
            defer { server.stop() }
            let client = try Self.client("127.0.0.1", server, certificates.authority, loop.io)
            _ = try await client.post()
            #expect(client.idleCount == 1)
            server.peers[0].close()
            #expect(await until(loop.io) { client.idleCount == 0 })
        }
    }

    @Test("needs an authority file that can be read")
    func badAuthority() async throws {
        try await onLoop { loop in
            var configuration = ClientConfiguration()
            configuration.caFile = "/nonexistent/ca.pem"
            #expect(throws: ClientConfigurationError.self) {
                _ = try HTTPClient(origin: Origin(baseURL: "https://localhost"), configuration: configuration, io: loop.io)
            }
        }
    }

    private static func server(_ chain: String, _ key: String, _ io: LoopIO) throws -> ScriptedServer {
        try ScriptedServer(io: io, tls: TLSContext(chainFile: chain, keyFile: key)) { $0.send(Answers.ok) }
    }

    private static func client(_ host: String, _ server: ScriptedServer, _ authority: String?, _ io: LoopIO) throws -> HTTPClient
    {
        var configuration = ClientConfiguration()
        configuration.caFile = authority
        return try HTTPClient(
            origin: Origin(baseURL: "https://\(host):\(server.port)"), configuration: configuration, io: io)
    }

    private static func expectRefusal(_ client: HTTPClient, _ server: ScriptedServer, saying text: String) async throws {
        let answer = try await client.post()
        guard case .failed(.tls(let reason), isAfterHead: false) = answer.ending else {
            Issue.record("ended with \(String(describing: answer.ending))")
            return
        }
        #expect(text.isEmpty || reason.contains(text), "\(reason)")
        // Not a byte of the request, which carries a key.
        #expect(server.requests.isEmpty)
        #expect(client.connector.activeCount == 0)
    }
}
