import EventLoop
import Foundation
import StrictJSON
import TestSupport
import Testing

/// Each part of a completion has a time of its own, and the client is told which one it was.
@Suite("An upstream that takes too long")
struct UpstreamTimeoutTests {
    struct Phase: CustomTestStringConvertible {
        let name: String
        /// The part of the variable's name, and its seconds.
        let times: [String: String]
        let directives: String
        var testDescription: String { name + " \(times)" }
    }

    static let phases = [
        Phase(name: "first_byte", times: ["FIRST_BYTE": "0.3"], directives: "tokens=5 stall_head=1"),
        Phase(name: "first_byte", times: ["FIRST_BYTE": "0.4", "FIRST_TOKEN": "0.3"], directives: "tokens=5 stall_head=1"),
        Phase(name: "first_token", times: ["FIRST_TOKEN": "0.3"], directives: "tokens=5 stall_after=0"),
        Phase(name: "silence", times: ["SILENCE": "0.3"], directives: "tokens=5 stall_after=2"),
        Phase(name: "total", times: ["TOTAL": "0.6"], directives: "tokens=100 interval=20"),
    ]

    private static func variables(_ times: [String: String]) -> [String: String] {
        Dictionary(uniqueKeysWithValues: times.map { ("UPSTREAM_\($0)_TIMEOUT", $1) })
    }

    /// The problem of an answer, whether it is a status or the end of a stream.
    private static func problem(_ answer: RawClient.Response) throws -> JSONObject {
        if answer.status == 200 { return try #require(try StreamTranscript(answer.body).error) }
        return try #require(try JSONValue(parsing: answer.body).object)
    }

    private static func expectTold(_ phase: String, _ stack: Stack, _ directives: String) throws {
        for isStream in [true, false] {
            let answer = try stack.completed(directives, stream: isStream)
            if !isStream { #expect(answer.status == 504) }
            let problem = try problem(answer)
            #expect(problem["code"]?.string == "upstream_timeout")
            #expect(problem["status"]?.number?.integer == 504)
            #expect(problem["phase"]?.string == phase, "stream=\(isStream)")
        }
    }

    @Test("is told by the part it was late with, streaming or not", arguments: phases)
    func told(phase: Phase) async throws {
        try await Stack.with(environment: Self.variables(phase.times)) { stack in
            try Self.expectTold(phase.name, stack, phase.directives)
            try stack.expectAllSettled()
        }
    }

    @Test("to take a connection is told so, streaming or not")
    func connect() async throws {
        // Nobody accepts, and the queue is full: further connections get no answer at all.
        let descriptor = try Socket.listen(host: "127.0.0.1", port: 0, backlog: 0)
        let port = Socket.localPort(of: descriptor)
        let fillers = try (0..<4).map { _ in try Socket.connect(ipv4: "127.0.0.1", port: port) }
        defer { for descriptor in fillers + [descriptor] { Socket.close(descriptor) } }
        // So short a time to begin leaves none for a second attempt.
        let environment = ["UPSTREAM_URL": "http://127.0.0.1:\(port)/v1", "COMMIT_AFTER": "0.5"]
        try await Stack.with(environment: environment.merging(Self.variables(["CONNECT": "0.45"])) { $1 }) { stack in
            try Self.expectTold("connect", stack, "tokens=3")
            try stack.expectAllSettled()
        }
    }

    @Test("to begin is spared after a few requests, though it runs out of the time for its first token before")
    func muteIsSpared() async throws {
        let environment = Self.variables(["FIRST_BYTE": "0.3", "FIRST_TOKEN": "0.2"])
        try await Stack.with(environment: environment) { stack in
            for _ in 0..<5 { #expect(try stack.completed("stall_head=1").status == 504) }
            _ = try stack.server.process.waitForLine(containing: "upstream does not answer and is spared")
            let answer = try stack.completed("stall_head=1")
            #expect(answer.problemCode == "upstream_unavailable")
            #expect(answer.head["retry-after"] != nil)
        }
    }
}
