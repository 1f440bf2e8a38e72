import EventLoop
import Foundation
import StrictJSON
import Testing

@testable import UpstreamSimulator

/// A simulator on a free port, and a client that blocks: what happens when the client goes away, or does not read.
@Suite("The simulator on a socket", .serialized)
struct LiveTests {
    @Test("streams a story, keeps the connection, and records what it sent")
    func story() async throws {
        let simulator = try await RunningSimulator()
        let client = try Client(port: simulator.port)
        for _ in 0..<2 {
            try client.post(#"{"model":"m","prompt":"hi","max_tokens":3,"stream":true}"#)
            let answer = try client.read(until: "\n0\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.contains("data: [DONE]\n\n"))
        }
        // The client can be quicker than the note.
        let isRecorded = await simulator.waits { $0.current.completed == 2 }
        #expect(isRecorded)
        let records = simulator.journal.records { _ in true }
        #expect(records.map(\.ending) == [.completed, .completed])
        #expect(records.map(\.tokens) == [3, 3])
        #expect(records.allSatisfy { $0.bytes > 500 && $0.authorization == "ok" })
        simulator.stop()
    }

    @Test("takes a chat under its own path, with the same directives and the same record")
    func chat() async throws {
        let simulator = try await RunningSimulator()
        let client = try Client(port: simulator.port)
        let message = #"{"role":"user","content":"[[tokens=2 id=talk error_after=1]]"}"#
        try client.post(#"{"model":"m","messages":[\#(message)],"stream":true}"#, path: "/v1/chat/completions")
        let answer = try client.read(until: "\n0\r\n\r\n")
        #expect(answer.contains(#""delta":{"content":"k0 "}"#))
        #expect(answer.contains(#"{"error":{"#))
        #expect(!answer.contains("[DONE]"))
        let isRecorded = await simulator.waits { $0.records { $0.id == "talk" && $0.ending == .completed }.count == 1 }
        #expect(isRecorded)
        #expect(simulator.journal.records { _ in true }.first?.completionID.hasPrefix("chatcmpl-") == true)
        simulator.stop()
    }

    @Test(
        "notices at once that a client has left, by FIN and by RST, in every window",
        arguments: [
            ("stall_head=1", 0, Ending.closedBeforeHeaders), ("head=60000", 0, .closedBeforeHeaders),
            ("first=60000", 1, .closedBeforeFirstToken), ("tokens=9 stall_after=2", 3, .closedMidstream),
            ("tokens=9 interval=60000", 2, .closedMidstream), ("tokens=100000 size=1000 sndbuf=4096", 5, .closedMidstream),
        ], [false, true])
    func leaving(window: (directives: String, chunks: Int, ending: Ending), byReset: Bool) async throws {
        let simulator = try await RunningSimulator()
        let client = try Client(port: simulator.port)
        try client.post(#"{"model":"m","prompt":"[[\#(window.directives) id=left]]","stream":true}"#)
        if window.chunks > 0 { _ = try client.read(until: window.chunks == 1 ? "\r\n\r\n" : "k\(window.chunks - 2) ") }
        let isOpen = await simulator.waits { $0.records { $0.id == "left" && $0.ending == .open }.count == 1 }
        #expect(isOpen)
        client.close(byReset: byReset)
        let isNoticed = await simulator.waits { $0.records { $0.id == "left" && $0.ending == window.ending }.count == 1 }
        #expect(isNoticed, "\(simulator.journal.records { _ in true })")
        #expect(simulator.journal.current.open == 0)
        simulator.stop()
    }

    @Test("is blocked by a client that does not read, and goes on when it does")
    func blocked() async throws {
        let simulator = try await RunningSimulator()
        let client = try Client(port: simulator.port, receiveBuffer: 4096)
        try client.post(#"{"model":"m","prompt":"[[tokens=60 size=1000 sndbuf=4096]]","stream":true}"#)
        let isBlocked = await simulator.waits { $0.current.blocked == 1 }
        #expect(isBlocked)
        let record = try #require(simulator.journal.records { _ in true }.first)
        #expect(record.isBlocked)
        #expect(record.tokens < 60)
        let answer = try client.read(until: "\n0\r\n\r\n")
        #expect(answer.contains("k59 "))
        let isOver = await simulator.waits { $0.current.completed == 1 && $0.current.blocked == 0 }
        #expect(isOver)
        simulator.stop()
    }

    @Test(
        "cuts the connection as told, and says so",
        arguments: ["drop_head=1", "fin_head=1", "tokens=5 drop_after=2", "tokens=5 fin_after=2", "tokens=2 drop_after=2"])
    func cuts(directives: String) async throws {
        let simulator = try await RunningSimulator()
        let client = try Client(port: simulator.port)
        try client.post(#"{"model":"m","prompt":"[[\#(directives)]]","stream":true}"#)
        let answer = client.readToEnd()
        #expect(!answer.hasSuffix("\n0\r\n\r\n"))
        let isRecorded = await simulator.waits { $0.current.dropped == 1 }
        #expect(isRecorded)
        #expect(simulator.journal.records { _ in true }.map(\.ending) == [.dropped])
        simulator.stop()
    }

    @Test("goes wrong only as often as an id is told to")
    func recovers() async throws {
        let simulator = try await RunningSimulator()
        let client = try Client(port: simulator.port)
        for status in [503, 503, 200] {
            try client.post(#"{"model":"m","prompt":"[[status=503 fails=2 id=a tokens=1]]"}"#)
            #expect(try client.read(until: "\n}").contains("HTTP/1.1 \(status) "))
        }
        simulator.stop()
    }

    @Test("lets bytes trickle, and the answer is whole all the same", arguments: ["trickle=7", "slow=200000", "split=1"])
    func trickles(directive: String) async throws {
        let simulator = try await RunningSimulator()
        let client = try Client(port: simulator.port)
        try client.post(#"{"model":"m","prompt":"[[tokens=3 \#(directive)]]","stream":true}"#)
        let answer = try client.read(until: "\n0\r\n\r\n")
        #expect(answer.contains("k2 "))
        #expect(answer.contains("[DONE]"))
        simulator.stop()
    }

    @Test("answers about itself")
    func control() async throws {
        let simulator = try await RunningSimulator()
        let client = try Client(port: simulator.port)
        try client.post(#"{"model":"m","prompt":"[[tokens=1 id=me]]"}"#)
        _ = try client.read(until: "\n}")
        try client.send("GET /_requests?id=me HTTP/1.1\r\nHost: a\r\n\r\n")
        let answer = try client.read(until: "}]")
        #expect(answer.contains("\"id\":\"me\"") && answer.contains("\"ended\":\"completed\""))
        try client.send("GET /_last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        #expect(client.readToEnd().contains(#""authorization":["Bearer key"]"#))
        simulator.stop()
    }
}

/// A simulator inside the test process.
private struct RunningSimulator {
    let journal = Journal()
    let port: UInt16
    private let loop = EventLoop(name: "simulator")
    private let listener: Int32

    init() async throws {
        let listener = try Socket.listen(host: "127.0.0.1", port: 0)
        self.listener = listener
        port = Socket.localPort(of: listener)
        loop.start()
        let journal = journal
        try await loop.run { loop in
            let settings = Settings(authorization: "Bearer key", models: .usual, storyInterval: 1)
            let service = Service(io: loop.io, journal: journal, settings: settings)
            loop.io.register(Listener(descriptor: listener, service: service), .sharedListener)
        }
    }

    func stop() {
        loop.stop()
        Socket.close(listener)
    }

    /// Whether `condition` comes true within five seconds; looked at again after each turn of the loop.
    func waits(for condition: @Sendable (Journal) -> Bool) async -> Bool {
        for _ in 0..<5_000 {
            if condition(journal) { return true }
            try? await Task.sleep(for: .milliseconds(1))
        }
        return false
    }
}

/// A client whose calls block, for five seconds at most.
private final class Client {
    struct Failure: Error {}
    private var descriptor: Int32
    private var received: [UInt8] = []

    init(port: UInt16, receiveBuffer: Int32 = 0) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var size = receiveBuffer
        if size > 0 { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, 4) }
        var patience = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure() }
    }

    deinit { if descriptor >= 0 { Glibc.close(descriptor) } }

    func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        guard Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else { throw Failure() }
    }

    func post(_ body: String, path: String = "/v1/completions") throws {
        try send(
            "POST \(path) HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer key\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    /// All bytes up to and with `end`.
    func read(until end: String) throws -> String {
        while true {
            if let range = received.firstRange(of: Array(end.utf8)) {
                defer { received.removeSubrange(..<range.upperBound) }
                return String(decoding: received[..<range.upperBound], as: UTF8.self)
            }
            guard readMore() else { throw Failure() }
        }
    }

    func readToEnd() -> String {
        while readMore() {}
        return String(decoding: received, as: UTF8.self)
    }

    private func readMore() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        // A receive that has a time limit is not begun again by itself where the kernel had something for its thread to do, such as to let
        // go of the ring of a loop that the thread once made.
        var count = recv(descriptor, &buffer, buffer.count, 0)
        while count < 0, errno == EINTR { count = recv(descriptor, &buffer, buffer.count, 0) }
        if count > 0 { received.append(contentsOf: buffer[..<count]) }
        return count > 0
    }

    func close(byReset: Bool) {
        if byReset { Socket.resetOnClose(descriptor) }
        Glibc.close(descriptor)
        descriptor = -1
    }
}
