import EventLoop
import Glibc
import TestSupport
import Testing

@testable import HTTPServer

@Suite("A server at its capacity")
struct CapacityTests {
    @Test("answers 503 to the next client, lets a probe pass, and takes clients again when one leaves")
    func cap() async throws {
        let echo = try await EchoServer.start { $0.maxConnections = 2 }
        defer { echo.stop() }
        try await offPool {
            let clients = [try echo.client(), try echo.client()]
            for client in clients { #expect(try client.request("GET", "/hello").status == 200) }
            let refused = try echo.client().request("GET", "/echo")
            #expect(refused.status == 503)
            #expect(refused.head["connection"] == "close")
            let probe = try echo.client().request("GET", "/hello")
            #expect(probe.status == 200)
            #expect(probe.head["connection"] == "close")
            clients[0].close()
            try EchoCounts.wait("it is let go") { echo.server.openConnections == 1 }
            #expect(try echo.client().request("GET", "/echo").status == 200)
        }
    }

    @Test("answers or closes even beyond the places kept for that, and silent clients there go soon")
    func beyondOverflow() async throws {
        let echo = try await EchoServer.start {
            $0.maxConnections = 0
            $0.overflowTimeout = .milliseconds(300)
        }
        defer { echo.stop() }
        try await offPool {
            var silent: [RawClient] = []
            for _ in 0..<64 { silent.append(try echo.client()) }
            try EchoCounts.wait("all are accepted") { echo.server.openConnections == 64 }
            let client = try echo.client()
            #expect(try client.readHead().status == 503)
            #expect(client.waitForClose())
            try EchoCounts.wait("the silent ones are cut") { echo.server.openConnections == 0 }
            #expect(try echo.client().request("GET", "/hello").status == 200)
        }
    }

    @Test("counts the connections of one address, and forgets those that ended, however they ended")
    func perAddress() async throws {
        let echo = try await EchoServer.start { $0.maxConnectionsPerAddress = 2 }
        defer { echo.stop() }
        try await offPool {
            for _ in 0..<5 {
                let clients = [try echo.client(), try echo.client()]
                for client in clients { #expect(try client.request("GET", "/hello").status == 200) }
                #expect(try echo.client().readHead().status == 503)
                clients[0].close()
                clients[1].reset()
                try EchoCounts.wait("both are let go") { echo.server.openConnections == 0 }
            }
        }
    }

    @Test("that cannot accept pauses instead of spinning, and heals by itself")
    func acceptFails() async throws {
        let counts = EchoCounts()
        let used = try await withLoop { loop in
            // Not listening yet: epoll reports it all the time and accept fails each time, as with no descriptors left.
            let descriptor = try Socket.listen(host: "127.0.0.1", port: 0)
            shutdown(descriptor, Int32(SHUT_RDWR))
            let context = ServerContext.echo(on: loop, counts: counts)
            let share = LoopShare(loop: loop, context: LoopBound(context, on: loop))
            let listener = share.listener(on: descriptor, context)
            loop.io.register(listener, .sharedListener)
            let before = Self.threadTime()
            await loop.io.pause(.milliseconds(500))
            let used = Self.threadTime() - before
            Glibc.listen(descriptor, 16)
            let port = Socket.localPort(of: descriptor)
            let answer = try await offPool { try RawClient(port: port).request("GET", "/hello").text }
            #expect(answer == "hello")
            listener.stop()
            Socket.close(descriptor)
            return used
        }
        // Spinning would use all of 500 ms.
        #expect(used < .milliseconds(50))
    }

    private static func threadTime() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
