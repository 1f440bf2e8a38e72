import EventLoop
import Glibc
import TestSupport
import Testing

@testable import HTTPServer

@Suite("A streamed answer")
struct ResponseStreamTests {
    @Test("comes in chunks, and the connection goes on")
    func chunked() async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            let response = try client.request("GET", "/stream/200")
            #expect(response.head["transfer-encoding"] == "chunked")
            #expect(response.head["content-length"] == nil)
            #expect(response.body.count == 200 * 1024)
            #expect(try client.request("GET", "/hello").text == "hello")
        }
    }

    @Test("ends with the connection in HTTP/1.0")
    func closeDelimited() async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            try client.send("GET /stream/200 HTTP/1.0\r\n\r\n")
            let head = try client.readHead()
            #expect(head["transfer-encoding"] == nil)
            #expect(head["connection"] == "close")
            #expect(try client.readToEnd().count == 200 * 1024)
        }
    }

    @Test("pauses its source while the client does not read, and comes whole when it does")
    func backpressure() async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client(receiveBuffer: 16 * 1024)
            try client.sendRequest("GET", "/stream/20000")
            let frames = try Self.standstill(of: echo)
            // 20 MiB are waiting; the kernels of both sides and we hold a small part.
            #expect(frames < 5_000)
            #expect(try client.readResponse().body.count == 20_000 * 1024)
            #expect(try client.request("GET", "/hello").text == "hello")
        }
    }

    @Test("keeps 64 KiB back at most, however much its source makes of one read", arguments: ["/stream/10000", "/reads/400"])
    func boundedMemory(path: String) async throws {
        let counts = EchoCounts()
        try await withLoop { loop in
            let pair = try ConnectionPair(on: loop, counts: counts, sendBuffer: 8 * 1024)
            pair.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
            pair.start(on: loop)
            var received = 0
            var most = 0
            // 10 MiB, 16 KiB at a time: the socket is never empty, so what is kept back never is either.
            while received < 10_000 * 1024 {
                switch Socket.receive(pair.client, into: pair.buffer) {
                case .moved(let count): received += count
                case .blocked: await loop.io.pause(.milliseconds(1))
                case .ended, .failed: throw TestFailure("the stream broke after \(received) bytes")
                }
                most = max(most, pair.connection.heldBytes)
                // One turn of the loop, in which it writes again.
                await withUnsafeContinuation { turn in loop.io.atEndOfTurn { turn.resume() } }
            }
            #expect(most > 0)
            #expect(most <= 64 * 1024)
        }
    }

    @Test("is told at once when its client leaves, before anything was sent", arguments: ["close", "reset", "halfClose"])
    func quietDeparture(how: String) async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            try client.sendRequest("GET", "/quiet")
            try EchoCounts.wait("it runs") { echo.counts.running.value == 1 }
            switch how {
            case "close": client.close()
            case "reset": client.reset()
            default: client.halfClose()
            }
            try EchoCounts.wait("it is told") { echo.counts.departures.value == 1 }
            try EchoCounts.wait("it is let go") { echo.server.openConnections == 0 }
        }
    }

    @Test("is told when its client had left before it began")
    func leftBefore() async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            try client.sendRequest("GET", "/quiet")
            client.close()
            try EchoCounts.wait("it is told") { echo.counts.departures.value == 1 }
            try EchoCounts.wait("it is let go") { echo.server.openConnections == 0 }
        }
    }

    @Test("of a thousand clients that leave in one moment leaves nothing behind")
    func massDeparture() async throws {
        Self.allowManyDescriptors()
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            var clients: [RawClient] = []
            for _ in 0..<1_000 {
                let client = try echo.client()
                try client.sendRequest("GET", "/quiet")
                clients.append(client)
            }
            try EchoCounts.wait("all run") { echo.counts.running.value == 1_000 }
            for (index, client) in clients.enumerated() { if index % 2 == 0 { client.close() } else { client.reset() } }
            try EchoCounts.wait("all are told") { echo.counts.departures.value == 1_000 }
            try EchoCounts.wait("all are let go") { echo.server.openConnections == 0 }
            #expect(try echo.client().request("GET", "/hello").text == "hello")
        }
    }

    /// How many frames were handed over when no more are.
    private static func standstill(of echo: EchoServer) throws -> Int {
        var last = -1
        var since = ContinuousClock.now
        try EchoCounts.wait("the source pauses") {
            let now = echo.counts.frames.value
            if now != last || now == 0 {
                last = now
                since = .now
            }
            return ContinuousClock.now - since > .milliseconds(200)
        }
        return last
    }

    private static func allowManyDescriptors() {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
