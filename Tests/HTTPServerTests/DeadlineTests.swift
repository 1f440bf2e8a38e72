import TestSupport
import Testing

@testable import HTTPServer

@Suite("A client that makes the server wait")
struct DeadlineTests {
    @Test("is cut when it never sends a byte")
    func neverUsed() async throws {
        let echo = try await EchoServer.start { $0.firstByteTimeout = .milliseconds(100) }
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            #expect(try client.readToEnd().isEmpty)
            try EchoCounts.wait("the connection is let go") { echo.server.openConnections == 0 }
        }
    }

    @Test("is cut when it stays idle between requests")
    func idle() async throws {
        let echo = try await EchoServer.start { $0.keepAliveTimeout = .milliseconds(100) }
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            #expect(try client.request("GET", "/hello").status == 200)
            #expect(try client.readToEnd().isEmpty)
        }
    }

    @Test("cannot buy time for a request's head with single bytes")
    func headTrickle() async throws {
        let echo = try await EchoServer.start { $0.headTimeout = .milliseconds(200) }
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            let begun = ContinuousClock.now
            try client.send("GET /hello HTTP/1.1\r\nX-Long: ")
            #expect(try client.trickle().status == 408)
            #expect(ContinuousClock.now - begun >= .milliseconds(200))
            #expect(client.waitForClose())
        }
    }

    @Test("has the same time for the head of a later request")
    func laterHead() async throws {
        let echo = try await EchoServer.start { $0.headTimeout = .milliseconds(200) }
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            try client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /hel")
            #expect(try client.readResponse().status == 200)
            #expect(try client.readResponse().status == 408)
            #expect(client.waitForClose())
        }
    }

    @Test(
        "is let go in every phase when it resets",
        arguments: [
            "", "GET /hel", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
            "GET /quiet HTTP/1.1\r\nHost: a\r\n\r\n", "GET /stream/100000 HTTP/1.1\r\nHost: a\r\n\r\n",
        ])
    func resets(sent: String) async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            for _ in 0..<10 {
                let client = try echo.client()
                try client.send(sent)
                try EchoCounts.wait("it is accepted") { echo.server.openConnections == 1 }
                if sent.contains("quiet") || sent.contains("stream") {
                    try EchoCounts.wait("it runs") { echo.counts.running.value == 1 }
                }
                client.reset()
                try EchoCounts.wait("it is let go") { echo.server.openConnections == 0 }
            }
            #expect(echo.counts.running.value == 0)
        }
    }

    @Test("is let go when it resets while its answer is prepared")
    func resetsWhileHeld() async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            try client.sendRequest("GET", "/held")
            try EchoCounts.wait("it runs") { echo.counts.running.value == 1 }
            client.reset()
            echo.counts.mayGo.add(1)
            try EchoCounts.wait("it is let go") { echo.server.openConnections == 0 }
        }
    }

    @Test("still gets its answers after it has finished sending")
    func halfClose() async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            try client.sendRequest("GET", "/hello")
            try client.sendRequest("GET", "/large")
            client.halfClose()
            #expect(try client.readResponse().text == "hello")
            #expect(try client.readResponse().body.count == 512 * 1024)
            #expect(try client.readToEnd().isEmpty)
        }
    }
}
