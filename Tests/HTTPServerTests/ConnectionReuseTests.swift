import EventLoop
import TestSupport
import Testing

@testable import HTTPServer

@Suite("A connection's requests")
struct ConnectionReuseTests {
    @Test("are answered one after another, and the connection stays open")
    func keepAlive() async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            for _ in 0..<3 {
                let response = try client.request("GET", "/hello")
                #expect(response.status == 200)
                #expect(response.text == "hello")
                #expect(response.head["connection"] == nil)
                #expect(response.head["content-length"] == "5")
                #expect(response.head["date"] != nil)
            }
            #expect(echo.server.openConnections == 1)
        }
    }

    @Test("are answered in order when a hundred come at once")
    func pipelined() async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            var text = ""
            for index in 0..<100 {
                let body = "request \(index)"
                text += "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            }
            try client.send(text)
            for index in 0..<100 { #expect(try client.readResponse().text == "request \(index)") }
        }
    }

    @Test("may be cut anywhere", arguments: [1, 2, 3, 7, 20])
    func split(pieces: Int) async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            let plain = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world"
            let chunked =
                "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
            try client.send(Array((plain + chunked).utf8), pieces: pieces)
            #expect(try client.readResponse().text == "hello world")
            #expect(try client.readResponse().text == "hello world")
        }
    }

    @Test("come to an end that the last answer announces")
    func lastRequest() async throws {
        let echo = try await EchoServer.start { $0.maxRequestsPerConnection = 3 }
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            // The fourth is on its way when the third is answered: it must not reset what was answered.
            for _ in 0..<4 { try client.sendRequest("GET", "/hello") }
            #expect(try client.readResponse().head["connection"] == nil)
            #expect(try client.readResponse().head["connection"] == nil)
            #expect(try client.readResponse().head["connection"] == "close")
            #expect(try client.readToEnd().isEmpty)
            #expect(echo.counts.requests.value == 3)
        }
    }

    @Test("end when the client says so, and after one in HTTP/1.0")
    func closing() async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            let asked = try echo.client()
            #expect(try asked.request("GET", "/hello", ["Connection": "close"]).head["connection"] == "close")
            #expect(try asked.readToEnd().isEmpty)
            let old = try echo.client()
            try old.send("GET /hello HTTP/1.0\r\n\r\n")
            #expect(try old.readResponse().text == "hello")
            #expect(try old.readToEnd().isEmpty)
        }
    }

    @Test("that fill the loop with work leave others their turn")
    func fairness() async throws {
        let counts = EchoCounts()
        try await withLoop { loop in
            let busy = try ConnectionPair(on: loop, counts: counts)
            let other = try ConnectionPair(on: loop, counts: counts)
            busy.send(String(repeating: "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", count: 100))
            other.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            busy.start(on: loop)
            other.start(on: loop)
            var answer = ""
            for _ in 0..<1_000 where answer.isEmpty {
                await withUnsafeContinuation { turn in loop.io.atEndOfTurn { turn.resume() } }
                answer = other.received()
            }
            #expect(answer.hasSuffix("hello"))
            #expect(counts.requests.value < 100)
            #expect(await loop.io.wait { counts.requests.value == 101 })
        }
    }

    @Test("are answered without a body to HEAD, and with 204")
    func bodyless() async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            let head = try client.request("HEAD", "/hello")
            #expect(head.head["content-length"] == "5")
            let empty = try client.request("GET", "/empty")
            #expect(empty.status == 204)
            #expect(empty.head["content-length"] == nil)
            // What follows is the next head: nothing stood between.
            #expect(try client.request("GET", "/hello").text == "hello")
            let stream = try client.request("HEAD", "/stream/3")
            #expect(stream.head["transfer-encoding"] == "chunked")
            #expect(try client.request("GET", "/hello").text == "hello")
            try client.send("HEAD /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n")
            #expect(try client.readResponse(bodyless: true).status == 413)
            #expect(try client.readToEnd().isEmpty)
        }
    }

    @Test("get one answer each, also when a responder gives two")
    func oneAnswer() async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            #expect(try client.request("GET", "/twice").text == "once")
            #expect(try client.request("GET", "/hello").text == "hello")
        }
    }
}
