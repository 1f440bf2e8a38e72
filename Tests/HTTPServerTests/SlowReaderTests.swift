import Glibc
import TestSupport
import Testing

@testable import HTTPServer

@Suite("A client that reads slowly or not at all")
struct SlowReaderTests {
    /// A stream of 100 MB, an answer in one piece that a small socket does not take, and one that ends with its connection.
    static let answers = ["GET /stream/100000 HTTP/1.1", "GET /large HTTP/1.1", "GET /stream/100000 HTTP/1.0"]

    @Test("is cut when it takes nothing for too long, by a reset, and the source is told", arguments: answers)
    func stalled(request: String) async throws {
        let echo = try await EchoServer.start { $0.writeStallTimeout = .milliseconds(300) }
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client(receiveBuffer: 16 * 1024)
            let begun = ContinuousClock.now
            try client.send("\(request)\r\nHost: a\r\n\r\n")
            try EchoCounts.wait("it is let go") { echo.counts.requests.value == 1 && echo.server.openConnections == 0 }
            #expect(ContinuousClock.now - begun >= .milliseconds(300))
            if request.contains("stream") {
                #expect(echo.counts.departures.value == 1)
                #expect(echo.counts.running.value == 0)
            }
            // A proper end would look like that of a whole answer where the connection's end is the answer's.
            let failure = try #require(throws: TestFailure.self) { try client.readToEnd() }
            #expect(failure.description.contains("Connection reset"))
        }
    }

    @Test("is cut for what the kernel alone keeps for it")
    func stalledInTheKernel() async throws {
        let echo = try await EchoServer.start { $0.writeStallTimeout = .milliseconds(300) }
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client(receiveBuffer: 4096)
            try client.sendRequest("GET", "/stream/40")
            try EchoCounts.wait("all is handed over") { echo.counts.frames.value == 40 && echo.counts.running.value == 0 }
            try EchoCounts.wait("it is let go") { echo.server.openConnections == 0 }
            #expect(throws: TestFailure.self) { try client.readToEnd() }
        }
    }

    @Test("is not cut while it takes a little at a time, so little that the socket shows no room")
    func trickle() async throws {
        let echo = try await EchoServer.start { $0.writeStallTimeout = .seconds(1) }
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client(receiveBuffer: 8 * 1024)
            try client.send("GET /stream/100000 HTTP/1.0\r\n\r\n")
            try EchoCounts.wait("it runs") { echo.counts.frames.value > 0 }
            var frames: Set<Int> = []
            let begun = ContinuousClock.now
            // Three times as long as a standstill may last, at 25 KiB a second.
            while ContinuousClock.now - begun < .seconds(3) {
                _ = try client.readAvailable(atMost: 1024)
                frames.insert(echo.counts.frames.value)
                usleep(40_000)
            }
            #expect(echo.counts.departures.value == 0)
            #expect(frames.count <= 4, "the source was held back nearly all the time")
        }
    }

    @Test("of an answer that is complete has to take it at some rate")
    func trickleOfTheRest() async throws {
        let echo = try await EchoServer.start {
            $0.writeStallTimeout = .milliseconds(400)
            $0.sendMinimumRate = 1 << 20
        }
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client(receiveBuffer: 8 * 1024)
            let begun = ContinuousClock.now
            try client.sendRequest("GET", "/large")
            let failure = try #require(throws: TestFailure.self) {
                // A twentieth of the rate: it would take ten seconds.
                while true {
                    _ = try client.readAvailable(atMost: 1024)
                    usleep(20_000)
                }
            }
            #expect(failure.description.contains("Connection reset"))
            #expect(ContinuousClock.now - begun >= .milliseconds(400))
            #expect(ContinuousClock.now - begun < .seconds(5))
        }
    }

    @Test("is served to the end when it reads again in time")
    func readsAgain() async throws {
        let echo = try await EchoServer.start { $0.writeStallTimeout = .seconds(5) }
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client(receiveBuffer: 16 * 1024)
            for _ in 0..<3 {
                try client.sendRequest("GET", "/large")
                #expect(try client.readResponse().body.count == 512 * 1024)
                try client.sendRequest("GET", "/stream/2000")
                #expect(try client.readResponse().body.count == 2_000 * 1024)
            }
        }
    }
}
