import Foundation
import StrictJSON
import Synchronization
import TestSupport
import Testing

/// Clients that do not do their part, beside one that does.
@Suite("Clients that misbehave")
struct BadClientTests {
    /// 10 MB that the client is slow to take; the upstream keeps little, so that its own socket shows the pressure.
    static let plenty = "tokens=350 size=30000 interval=0 sndbuf=16384"
    /// From an upstream that has had to stop to the end of its connection: 30 s from the client's last acknowledgement, which
    /// may be a little earlier, the time between two looks, and what a machine with much to do adds.
    static let cut = 27_000.0...38_000.0

    @Test(
        "harm nobody: fifty stand still, trickle and send garbage, a stream beside them flows; who takes nothing for 30 s is cut",
        .timeLimit(.minutes(2)))
    func fiftyOfThem() async throws {
        try await Stack.with { stack in
            let isOver = Mutex(false)
            let delays = Mutex<[Int64]>([])
            try concurrently(5) { part in
                switch part {
                case 0:
                    defer { isOver.withLock { $0 = true } }
                    delays.withLock { $0 = [] }
                    let measured = try stack.delays(tokens: 1_700, interval: 20)
                    delays.withLock { $0 = measured }
                case 1: try stack.standStill(15, until: { isOver.withLock(\.self) })
                case 2: try stack.readALittle(until: { isOver.withLock(\.self) })
                case 3: try stack.trickleHeads(10, until: { isOver.withLock(\.self) })
                default: try stack.sendGarbage(until: { isOver.withLock(\.self) })
                }
            }
            let sorted = delays.withLock { $0.sorted() }
            #expect(sorted.count == 1_700)
            let late = Double(sorted[sorted.count * 99 / 100]) / 1e6
            #expect(late < 250, "99 of 100 tokens within \(late) ms")
            try stack.expect("select count(*) from usage where outcome = 'done'", becomes: "1")
            try stack.expect("select count(*) from usage where outcome = 'client_gone'", becomes: "37")
            try stack.expectAllSettled()
        }
    }

    @Test("cost little memory: of 10 MiB for each that stands still most waits at the upstream")
    func memory() async throws {
        try await Stack.with { stack in
            // What a process takes once and keeps.
            for _ in 0..<5 { _ = try stack.completed("tokens=300 size=3000", parameters: #""max_tokens":400"#) }
            let before = try stack.server.process.residentBytes()
            let count = 40
            let clients = try (0..<count).map { index in
                let client = try stack.fill("id=full-\(index)")
                _ = try stack.wait("the upstream to be held back") {
                    try stack.upstreamRecords("full-\(index)").first { $0["blocked"]?.bool == true }
                }
                return client
            }
            let grown = try stack.server.process.residentBytes() - before
            // 64 KiB are kept back for each, what one read brings comes on top, and an array grows by doubling.
            #expect(grown < count * 256 * 1024, "\(grown >> 10) KiB for \(count)")
            for client in clients { client.close() }
            try stack.expect("select count(*) from usage where outcome = 'client_gone'", becomes: "\(count)")
            try stack.expectAllSettled()
        }
    }

    @Test("who send their next request while a stream runs get its answer after the stream, and one that is none refused")
    func pipelined() async throws {
        try await Stack.with { stack in
            let client = try stack.complete("id=first tokens=20 interval=20")
            try client.sendRequest("GET", "/api/me", stack.fields())
            try client.send("\u{1}no request at all\r\n\r\n")
            #expect(try StreamTranscript(client.readResponse().body).isDone)
            #expect(try client.readResponse().status == 200)
            #expect(try client.readResponse().status == 400)
            #expect(client.waitForClose())
            try stack.expect("select outcome from usage", becomes: "done")
            try stack.expectAllSettled()
        }
    }

    @Test("who leave while the upstream is given time before it is asked again are let go at once", arguments: [true, false])
    func leavesBeforeRetry(isStream: Bool) async throws {
        try await Stack.with { stack in
            let client = try stack.complete("id=again status=503 retry_after=4", stream: isStream)
            _ = try stack.wait("the refusal") {
                try stack.upstreamRecords("again").first { $0["ended"]?.string == "refused" }
            }
            client.close()
            try stack.expect("select outcome from usage", becomes: "client_gone", within: .seconds(2))
            try stack.expectAllSettled()
            #expect(try stack.upstreamRecords("again").count == 1)
        }
    }
}

extension Stack {
    /// Asks for a stream of 10 MB through a small receive buffer.
    fileprivate func fill(_ id: String) throws -> RawClient {
        let client = try RawClient(port: server.port, receiveBuffer: 4096)
        try client.sendRequest(
            "POST", "/api/complete", fields(),
            body: #"{"prompt":"[[\#(id) \#(BadClientTests.plenty)]]","stream":true,"max_tokens":400}"#)
        return client
    }

    /// How long each token of a stream took from the upstream's hand to ours, in nanoseconds.
    fileprivate func delays(tokens: Int, interval: Int) throws -> [Int64] {
        let client = try complete(
            "id=healthy tokens=\(tokens) interval=\(interval) stamp=1", parameters: #""max_tokens":\#(tokens)"#)
        guard try client.readHead().status == 200 else { throw TestFailure("the healthy stream was refused") }
        var delays: [Int64] = []
        while let event = try client.readEvent() {
            guard let data = event.data, data != "[DONE]", let text = try JSONValue(parsing: data)["text"]?.string,
                let sent = text.split(separator: " ").last.flatMap({ Int64($0) })
            else { continue }
            var now = timespec()
            clock_gettime(CLOCK_REALTIME, &now)
            delays.append(Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec) - sent)
        }
        return delays
    }

    /// Clients that read nothing. Each is cut in time, and its upstream with it.
    fileprivate func standStill(_ count: Int, until isOver: () -> Bool) throws {
        let clients = try (0..<count).map { try fill("id=still-\($0)") }
        for (index, client) in clients.enumerated() {
            try expectCut("still-\(index)")
            // What its own kernel had taken is still there.
            let failure = try #require(throws: TestFailure.self) { try client.readToEnd() }
            #expect(failure.description.contains("Connection reset"))
        }
    }

    /// Ten clients that read a byte a second, of which TCP shows nothing, and two that read a kibibyte every 100 ms: those are
    /// not cut.
    fileprivate func readALittle(until isOver: () -> Bool) throws {
        var slowest = try (0..<10).map { try fill("id=slowest-\($0)") }
        let steady = try (0..<2).map { try fill("id=steady-\($0)") }
        var turn = 0
        while !isOver() {
            for client in steady { _ = try client.readAvailable(atMost: 1024) }
            if turn % 10 == 0 { slowest.removeAll { (try? $0.readAvailable(atMost: 1)) == nil } }
            turn += 1
            usleep(100_000)
        }
        for index in 0..<10 { try expectCut("slowest-\(index)") }
        for (index, client) in steady.enumerated() {
            #expect(try upstreamRecords("steady-\(index)").first?["ended"]?.string == "open")
            client.close()
        }
    }

    /// Clients that never finish the head of a request; another takes the place of one that is cut.
    fileprivate func trickleHeads(_ count: Int, until isOver: () -> Bool) throws {
        var clients: [RawClient] = []
        while !isOver() {
            while clients.count < count {
                clients.append(try server.client())
                try clients.last?.send("GET /api/me HTTP/1.1\r\nX-Long: ")
            }
            clients.removeAll { client in
                do {
                    try client.send("a")
                    return false
                } catch {
                    return true
                }
            }
            usleep(200_000)
        }
    }

    /// Half a MiB of it behind each of ten streams, and on connections of its own.
    fileprivate func sendGarbage(until isOver: () -> Bool) throws {
        let garbage = (0..<512 * 1024).map { UInt8(truncatingIfNeeded: $0 &* 167) }
        let streams = try (0..<10).map { index in
            let client = try complete("id=behind-\(index) tokens=100000 interval=50", parameters: #""max_tokens":100000"#)
            try client.send(garbage)
            return client
        }
        while !isOver() {
            let client = try server.client()
            try client.send(Array(garbage.prefix(2_000)))
            #expect(try client.readResponse().status == 400)
            for client in streams { _ = try client.readAvailable() }
            usleep(20_000)
        }
        for (index, client) in streams.enumerated() {
            client.close()
            #expect(try upstreamEnding("behind-\(index)") == "client_closed_midstream")
        }
    }

    /// The upstream had to stop, and was let go of once its client had taken nothing for 30 s.
    private func expectCut(_ id: String) throws {
        let record = try wait("\(id) to be cut", within: .seconds(60)) {
            try upstreamRecords(id).last { $0["ended"]?.string != "open" }
        }
        #expect(record["ended"]?.string == "client_closed_midstream")
        let stopped = try #require(record["last_token_ms"]?.number?.double)
        let ended = try #require(record["ended_ms"]?.number?.double)
        #expect(BadClientTests.cut.contains(ended - stopped), "\(id) was cut after \(ended - stopped) ms")
    }
}

extension ChildProcess {
    /// The memory that it really has now.
    fileprivate func residentBytes() throws -> Int {
        let fields = try String(contentsOfFile: "/proc/\(pid)/statm", encoding: .utf8).split(separator: " ")
        guard fields.count > 1, let pages = Int(fields[1]) else { throw TestFailure("no memory of \(pid)") }
        return pages * Int(getpagesize())
    }
}
