import EventLoop
import TestSupport
import Testing

@testable import HTTPServer

@Suite("A server that drains")
struct DrainTests {
    @Test("closes its listener and idle connections, and completes what is in hand")
    func graceful() async throws {
        let echo = try await EchoServer.start(loops: 2)
        defer { echo.stop() }
        try await offPool {
            let (idle, fresh) = (try echo.client(), try echo.client())
            let (busy, half) = (try echo.client(), try echo.client())
            _ = try idle.request("GET", "/hello")
            try busy.sendRequest("GET", "/held")
            // Answered, so that the half of the next request is with the server by the time it drains.
            try half.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHo")
            _ = try half.readResponse()
            try EchoCounts.wait("it runs") { echo.counts.running.value == 1 }
            try EchoCounts.wait("all are accepted") { echo.server.openConnections == 4 }
            try echo.drain()
            #expect(try idle.readToEnd().isEmpty)
            #expect(try fresh.readToEnd().isEmpty)
            #expect(throws: TestFailure.self) { try echo.client().request("GET", "/hello") }
            try half.send("st: a\r\n\r\n")
            let last = try half.readResponse()
            #expect(last.text == "hello")
            #expect(last.head["connection"] == "close")
            #expect(try half.readToEnd().isEmpty)
            echo.counts.mayGo.add(1)
            let held = try busy.readResponse()
            #expect(held.text == "held")
            #expect(held.head["connection"] == "close")
            #expect(try busy.readToEnd().isEmpty)
            try EchoCounts.wait("nothing is open") { echo.server.openConnections == 0 }
        }
    }

    @Test("answers what waits in the kernel to be accepted")
    func acceptQueue() async throws {
        let counts = EchoCounts()
        try await withLoop { loop in
            let descriptor = try Socket.listen(host: "127.0.0.1", port: 0)
            let port = Socket.localPort(of: descriptor)
            let clients = try (0..<200).map { _ in try Socket.connect(ipv4: "127.0.0.1", port: port) }
            let share = LoopShare(loop: loop, context: LoopBound(ServerContext.echo(on: loop, counts: counts), on: loop))
            let listener = share.listener(on: descriptor, share.context.value(on: loop))
            let request = Array("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
            for client in clients { _ = request.withUnsafeBufferPointer { Socket.send(client, $0) } }
            listener.stop()
            Socket.close(descriptor)
            loop.io.atEndOfTurn { share.context.value(on: loop).drain() }
            #expect(await loop.io.wait { counts.requests.value == 200 })
            for client in clients { Socket.close(client) }
        }
    }

    @Test("answers a request that has arrived on a connection that looks idle")
    func arrived() async throws {
        let counts = EchoCounts()
        try await withLoop { loop in
            let pair = try ConnectionPair(on: loop, counts: counts)
            pair.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            pair.start(on: loop)
            // After the connection has begun to wait, and before the loop asks epoll.
            loop.io.atEndOfTurn { pair.context.drain() }
            var answer = ""
            #expect(
                await loop.io.wait {
                    answer += pair.received()
                    return answer.hasSuffix("hello")
                })
            #expect(answer.contains("Connection: close"))
        }
    }
}
