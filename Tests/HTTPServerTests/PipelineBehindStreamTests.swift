import EventLoop
import Foundation
import TestSupport
import Testing

@testable import HTTPServer

@Suite("What a client sends behind a request whose stream still runs")
struct PipelineBehindStreamTests {
    @Test("is answered after the stream, in order")
    func nextRequests() async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            try client.sendRequest("GET", "/stream/500")
            try client.sendRequest("POST", "/echo", body: "second")
            try client.sendRequest("GET", "/stream/2")
            try client.sendRequest("GET", "/hello")
            #expect(try client.readResponse().body.count == 500 * 1024)
            #expect(try client.readResponse().text == "second")
            #expect(try client.readResponse().body.count == 2 * 1024)
            #expect(try client.readResponse().text == "hello")
        }
    }

    @Test("is not begun before the stream has ended")
    func waitsItsTurn() async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            try client.sendRequest("GET", "/quiet")
            try client.sendRequest("GET", "/hello")
            try EchoCounts.wait("the stream runs") { echo.counts.running.value == 1 }
            // Another connection of the loop is served from first to last meanwhile.
            for _ in 0..<20 { #expect(try echo.client().request("GET", "/hello").text == "hello") }
            #expect(echo.counts.requests.value == 21)
            #expect(echo.counts.running.value == 1)
        }
    }

    @Test("may be garbage: the stream comes whole, then a refusal, then the end", arguments: [1, 100, 1_000_000])
    func garbage(size: Int) async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        let received = try await withLoop { loop in
            let client = try Socket.connect(ipv4: "127.0.0.1", port: echo.port)
            defer { Socket.close(client) }
            var rest = Array("GET /stream/500 HTTP/1.1\r\nHost: a\r\n\r\n".utf8) + [UInt8](repeating: 0, count: size)
            var received: [UInt8] = []
            let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 64 * 1024)
            defer { buffer.deallocate() }
            let isOver = await loop.io.wait {
                if case .moved(let count) = rest.withUnsafeBufferPointer({ Socket.send(client, $0) }) { rest.removeFirst(count) }
                while true {
                    switch Socket.receive(client, into: buffer) {
                    case .moved(let count): received += buffer[..<count]
                    case .blocked: return false
                    case .ended: return true
                    case .failed:
                        received = []
                        return true
                    }
                }
            }
            #expect(isOver)
            return String(decoding: received, as: UTF8.self)
        }
        #expect(received.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(received.count { $0 == "\n" } == 500 * 64)
        let end = try #require(received.range(of: "\r\n0\r\n\r\nHTTP/1.1 400 Bad Request\r\n"))
        #expect(received[end.upperBound...].hasSuffix("\r\n\r\nmalformed"))
        try await offPool {
            try EchoCounts.wait("it is let go") { echo.server.openConnections == 0 }
            #expect(try echo.client().request("GET", "/hello").text == "hello")
        }
    }

    @Test("without end waits in its own kernel: nothing of it is kept here, and its departure is still seen")
    func endless() async throws {
        let counts = EchoCounts()
        try await withLoop { loop in
            let pair = try ConnectionPair(on: loop, counts: counts)
            pair.send("GET /quiet HTTP/1.1\r\nHost: a\r\n\r\n")
            pair.start(on: loop)
            #expect(await loop.io.wait { counts.running.value == 1 })
            let garbage = [UInt8](repeating: 0x61, count: 64 * 1024)
            var sent = 0
            for _ in 0..<1_000 {
                if case .moved(let count) = garbage.withUnsafeBufferPointer({ Socket.send(pair.client, $0) }) { sent += count }
                await withUnsafeContinuation { turn in loop.io.atEndOfTurn { turn.resume() } }
            }
            #expect(sent < 8 << 20, "the sender is blocked")
            #expect(pair.connection.inbox.isEmpty)
            #expect(counts.running.value == 1)
            Socket.shutdownSending(pair.client)
            #expect(await loop.io.wait { counts.departures.value == 1 })
        }
    }
}
