import EventLoop
import TestSupport
import Testing

@testable import HTTPServer

@Suite("A request body")
struct RequestBodyTests {
    @Test("is asked for only when somebody wants it")
    func expectation() async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
            #expect(try client.readResponse().status == 100)
            try client.send("hello")
            #expect(try client.readResponse().text == "hello")
            try client.send("POST /none HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
            let refused = try client.readResponse()
            #expect(refused.status == 404)
            #expect(refused.head["connection"] == "close")
            #expect(try client.readToEnd().isEmpty)
        }
    }

    @Test("brings no 100 where it is too large, nor for HTTP/1.0")
    func noInterim() async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            let large = try echo.client()
            try large.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n")
            #expect(try large.readResponse().status == 413)
            let old = try echo.client()
            try old.send("POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok")
            #expect(try old.readResponse().text == "ok")
        }
    }

    @Test("is refused by its declared size before any of it comes", arguments: [1_001, 262_144, 262_145, Int.max])
    func declaredTooLarge(size: Int) async throws {
        let echo = try await EchoServer.start { $0.lingerTimeout = .milliseconds(50) }
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n")
            let response = try client.readResponse()
            #expect(response.status == 413)
            #expect(response.head["connection"] == "close")
            #expect(client.waitForClose())
        }
    }

    @Test("in chunks is taken to the limit and refused at the byte after it")
    func chunkedLimit() async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            let head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            let full = String(repeating: "x", count: 1_000)
            let client = try echo.client()
            try client.send(head + "3e8\r\n\(full)\r\n0\r\n\r\n")
            #expect(try client.readResponse().text == full)
            // No end: the refusal must not wait for it.
            try client.send(head + "3e8\r\n\(full)\r\n1\r\nx")
            #expect(try client.readResponse().status == 413)
        }
    }

    @Test("that nobody read leaves the connection usable")
    func unread() async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            #expect(try client.request("POST", "/none", body: String(repeating: "x", count: 100_000)).status == 404)
            #expect(try client.request("GET", "/hello").text == "hello")
        }
    }

    @Test(
        "larger than anything is taken in until the refusal could be read", arguments: [true, false], [true, false])
    func earlyAnswer(declared: Bool, finishes: Bool) async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            let body = [UInt8](repeating: 0x78, count: 2 * 1024 * 1024)
            for _ in 0..<50 {
                let client = try echo.client()
                let framing = declared ? "Content-Length: \(body.count)\r\n\r\n" : "Transfer-Encoding: chunked\r\n\r\n200000\r\n"
                try client.send("POST /none HTTP/1.1\r\nHost: a\r\n" + framing)
                try client.send(body)
                if finishes { client.halfClose() }
                #expect(try client.readResponse().status == (declared ? 413 : 404))
                client.close()
            }
        }
    }

    @Test("that had come whole, its end included, before anybody looked is taken in as well")
    func alreadyFinished() async throws {
        let counts = EchoCounts()
        try await withLoop { loop in
            let pair = try ConnectionPair(on: loop, counts: counts)
            let head = Array("POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n".utf8)
            let sent = head + [UInt8](repeating: 0x78, count: 100_000)
            #expect(sent.withUnsafeBufferPointer { Socket.send(pair.client, $0) } == .moved(sent.count))
            Socket.shutdownSending(pair.client)
            await pair.connection.run()
            // Closed over unread bytes, it would be a reset.
            var last = Socket.receive(pair.client, into: pair.buffer)
            while case .moved = last { last = Socket.receive(pair.client, into: pair.buffer) }
            #expect(last == .ended)
        }
    }

    @Test("is cut when nothing more comes")
    func silent() async throws {
        let echo = try await EchoServer.start { $0.bodyIdleTimeout = .milliseconds(100) }
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel")
            #expect(try client.readResponse().status == 408)
            #expect(client.waitForClose())
        }
    }

    @Test("is cut when it trickles, and when it lasts too long", arguments: [true, false])
    func trickling(isRateBound: Bool) async throws {
        let echo = try await EchoServer.start {
            $0.bodyGrace = isRateBound ? .milliseconds(50) : .seconds(60)
            $0.bodyTimeout = isRateBound ? .seconds(60) : .milliseconds(200)
            $0.bodyMinimumRate = 10_000
        }
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
            #expect(try client.trickle().status == 408)
            #expect(client.waitForClose())
        }
    }

    @Test("that ends before its end is no request", arguments: ["/echo", "/none"])
    func incomplete(path: String) async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            try client.send("POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel")
            client.halfClose()
            #expect(try client.readResponse().status == 400)
            #expect(try client.readToEnd().isEmpty)
        }
    }
}

extension RawClient {
    /// Sends a byte about every 5 ms until there is an answer.
    func trickle() throws -> Head {
        let usual = deadline
        defer { deadline = usual }
        let end = ContinuousClock.now + usual
        deadline = .milliseconds(5)
        while ContinuousClock.now < end {
            try? send("x")
            if let head = try? readHead() { return head }
        }
        throw TestFailure("no answer to a trickle within \(usual)")
    }
}
