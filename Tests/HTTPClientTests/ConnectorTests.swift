import EventLoop
import Glibc
import Testing

@testable import HTTPClient

@Suite("The connector")
struct ConnectorTests {
    @Test("serves the line in the order it came, within its bound", .timeLimit(.minutes(1)))
    func order() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { $0.send(Answers.chunkedHead) }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io) { $0.maxConnecting = 1 }
            var most = 0
            server.onAccept = { _ in most = max(most, client.connector.activeCount) }
            let answers = (0..<20).map { _ in Recorder() }
            let exchanges = try answers.enumerated().map { try client.post("\($0.offset)", to: $0.element) }
            #expect(await until(loop.io) { answers.allSatisfy { $0.head != nil } })
            #expect(server.requests.map { String(decoding: $0.body, as: UTF8.self) } == (0..<20).map { "\($0)" })
            #expect(most <= 1)
            #expect(client.connector.watchedCount == 0)
            for exchange in exchanges { exchange.cancel() }
        }
    }

    @Test("refuses what would make the line too long", .timeLimit(.minutes(1)))
    func fullLine() async throws {
        try await onLoop { loop in
            let listener = try FullListener(io: loop.io)
            defer { listener.close() }
            var configuration = ClientConfiguration()
            configuration.maxWaiting = 3
            let client = try HTTPClient(origin: listener.origin, configuration: configuration, io: loop.io)
            let answers = (0..<4).map { _ in Recorder() }
            let exchanges = try answers.map { try client.post(to: $0) }
            #expect(await answers[3].ended() == .failed(.crowded, isAfterHead: false))
            #expect(answers[..<3].allSatisfy { $0.ending == nil })
            for exchange in exchanges { exchange.cancel() }
        }
    }

    @Test("tries a host's further addresses", .timeLimit(.minutes(1)))
    func severalAddresses() async throws {
        try await onLoop { loop in
            // The server listens on 127.0.0.1 alone, whatever else the name stands for.
            let server = try ScriptedServer(io: loop.io) { $0.send(Answers.ok) }
            defer { server.stop() }
            let client = try HTTPClient(origin: Origin(baseURL: "http://localhost:\(server.port)"), io: loop.io)
            #expect(try await client.post().ending == .completed)
            #expect(client.connector.watchedCount == 0)
        }
    }

    @Test("reports a name that does not exist", .timeLimit(.minutes(1)))
    func unknownHost() async throws {
        try await onLoop { loop in
            // A label may have 63 characters: the resolver knows without asking anybody.
            let host = String(repeating: "x", count: 64) + ".invalid"
            let client = try HTTPClient(origin: Origin(baseURL: "http://\(host)"), io: loop.io)
            let answer = try await client.post()
            guard case .failed(.connect(let text), isAfterHead: false) = answer.ending else {
                Issue.record("ended with \(String(describing: answer.ending))")
                return
            }
            #expect(text.contains(host))
        }
    }

    @Test("goes through a proxy with CONNECT, and tells its refusal", .timeLimit(.minutes(1)))
    func proxy() async throws {
        try await onLoop { loop in
            let proxy = try ScriptedServer(io: loop.io) { peer in
                peer.send(peer.requests.count == 1 ? "HTTP/1.1 200 Connected\r\n\r\n" : Answers.ok)
            }
            defer { proxy.stop() }
            var configuration = ClientConfiguration()
            configuration.proxy = try Origin(baseURL: proxy.url)
            let client = try HTTPClient(
                origin: Origin(baseURL: "http://upstream.invalid:8080/v1"), configuration: configuration, io: loop.io)
            let answer = try await client.post()
            #expect(answer.ending == .completed)
            #expect(proxy.requests[0].head.hasPrefix("CONNECT upstream.invalid:8080 HTTP/1.1\r\n"))
            #expect(proxy.requests[1].head.hasPrefix("POST /v1/completions HTTP/1.1\r\nHost: upstream.invalid:8080\r\n"))
            #expect(try await client.post().ending == .completed)
            #expect(proxy.peers.count == 1)

            client.close()
            proxy.onRequest = { $0.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") }
            let other = try HTTPClient(
                origin: Origin(baseURL: "http://upstream.invalid:8080"), configuration: configuration, io: loop.io)
            guard case .failed(.connect(let text), isAfterHead: false) = try await other.post().ending else {
                Issue.record("was not refused")
                return
            }
            #expect(text.contains("403"))
        }
    }

    @Test("refuses a proxy that it could not see through", arguments: ["https://proxy:3128", "http://proxy:3128/path"])
    func badProxy(url: String) async throws {
        try await onLoop { loop in
            var configuration = ClientConfiguration()
            configuration.proxy = try Origin(baseURL: url)
            #expect(throws: ClientConfigurationError.self) {
                _ = try HTTPClient(origin: Origin(baseURL: "http://host"), configuration: configuration, io: loop.io)
            }
        }
    }

    @Test("does not follow the environment's proxies", .timeLimit(.minutes(1)))
    func environment() async throws {
        // In a process of its own: the environment belongs to all tests.
        await #expect(processExitsWith: .success) {
            for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
                setenv(name, "http://127.0.0.1:1", 1)
            }
            try await onLoop { loop in
                let server = try ScriptedServer(io: loop.io) { $0.send(Answers.ok) }
                defer { server.stop() }
                #expect(try await HTTPClient(of: server, io: loop.io).post().ending == .completed)
            }
        }
    }

    @Test("makes 300 connections at once, and leaves no descriptor behind", .timeLimit(.minutes(1)))
    func descriptors() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io) { $0.send(Answers.ok) }
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            let answers = (0..<300).map { _ in Recorder() }
            for answer in answers { _ = try client.post(to: answer) }
            for answer in answers { #expect(await answer.ended() == .completed) }
            #expect(client.connector.activeCount == 0)
            #expect(client.connector.watchedCount == 0)
            client.close()
            #expect(await until(loop.io) { server.peers.allSatisfy { $0.isLeft } })
        }
    }

    /// A program that inherits a connection keeps it open after us: the other side would never hear that we left.
    @Test("leaves no connection to programs that are started meanwhile", .timeLimit(.minutes(1)))
    func closedByExec() async throws {
        try await onLoop { loop in
            let server = try ScriptedServer(io: loop.io)
            defer { server.stop() }
            let client = try HTTPClient(of: server, io: loop.io)
            var outcome: Result<Link, ClientError.Reason>?
            _ = client.connector.connect(deadline: loop.io.now + 10_000) { outcome = $0 }
            #expect(await until(loop.io) { outcome != nil })
            let link = try #require(try outcome?.get())
            #expect(fcntl(link.descriptor, F_GETFD) & FD_CLOEXEC != 0)
            link.close()
        }
    }
}
