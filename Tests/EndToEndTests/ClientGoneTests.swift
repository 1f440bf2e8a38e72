import Foundation
import StrictJSON
import TestSupport
import Testing

/// A client that leaves must not cost its user, or whoever pays the upstream, another token. The upstream's own record of the
/// closed socket is the witness, and the bill has one row for each.
@Suite("When the client leaves")
struct ClientGoneTests {
    /// How a client can leave.
    enum Departure: CaseIterable {
        case close, reset

        func leave(_ client: RawClient) {
            switch self {
            case .close: client.close()
            case .reset: client.reset()
            }
        }
    }

    /// So many leave in each window, one after the other.
    static let clients = 10

    @Test("before the upstream has answered, its connection is closed at once", arguments: Departure.allCases)
    func beforeUpstreamHeaders(departure: Departure) async throws {
        try await Stack.with { stack in
            for index in 0..<Self.clients {
                let id = "before-head-\(index)"
                let client = try stack.complete("id=\(id) stall_head=1", stream: index % 2 == 0)
                _ = try stack.wait("the upstream to get the request") { try stack.upstreamRecords(id).first }
                try stack.leave(client, by: departure, id: id, ending: "client_closed_before_headers")
            }
            try stack.expect("select count(*) from usage where outcome = 'client_gone'", becomes: "\(Self.clients)")
            try stack.expect("select sum(completion_tokens) from usage", becomes: "0")
            try stack.expectAllSettled()
        }
    }

    @Test("between the upstream's head and its first token, its connection is closed at once", arguments: Departure.allCases)
    func beforeFirstToken(departure: Departure) async throws {
        try await Stack.with { stack in
            for index in 0..<Self.clients {
                let id = "before-token-\(index)"
                let client = try stack.complete("id=\(id) first=60000")
                _ = try stack.wait("the upstream to send its head") {
                    try stack.upstreamRecords(id).first { $0["head_ms"] != nil }
                }
                try stack.leave(client, by: departure, id: id, ending: "client_closed_before_first_token")
            }
            try stack.expect("select count(*) from usage where outcome = 'client_gone'", becomes: "\(Self.clients)")
            try stack.expectAllSettled()
        }
    }

    @Test(
        "in the midst of the stream, the upstream's connection is closed at once and what was delivered is billed",
        arguments: Departure.allCases)
    func midStream(departure: Departure) async throws {
        try await Stack.with { stack in
            for index in 0..<Self.clients {
                let id = "midstream-\(index)"
                let completion = "0190b5a0-0000-7000-8000-0000000000\(10 + index)"
                let client = try stack.complete("id=\(id) tokens=10000 interval=20", id: completion, parameters: StopTests.long)
                #expect(try client.readHead().status == 200)
                for _ in 0..<5 { _ = try client.readEvent() }
                try stack.leave(client, by: departure, id: id, ending: "client_closed_midstream")
                let row = try stack.row("select outcome, completion_tokens from usage where completion_id = '\(completion)'")
                #expect(row[0] == "client_gone")
                let billed = try #require(row[1].flatMap { Int($0) })
                let sent = try #require(try stack.upstreamRecords(id).last?["tokens_sent"]?.number?.integer)
                #expect(billed >= 5 && billed <= sent)
            }
            try stack.expect("select count(*) from usage", becomes: "\(Self.clients)")
            try stack.expectAllSettled()
        }
    }

    @Test(
        "while an answer in one piece is being made, the upstream's connection is closed at once", arguments: Departure.allCases)
    func nonStreaming(departure: Departure) async throws {
        try await Stack.with { stack in
            for index in 0..<Self.clients {
                let id = "one-piece-\(index)"
                let client = try stack.complete("id=\(id) tokens=10000 interval=20", stream: false, parameters: StopTests.long)
                _ = try stack.wait("the upstream to send tokens") {
                    try stack.upstreamRecords(id).first { ($0["tokens_sent"]?.number?.integer ?? 0) > 2 }
                }
                try stack.leave(client, by: departure, id: id, ending: "client_closed_midstream")
            }
            try stack.expect("select count(*) from usage where outcome = 'client_gone'", becomes: "\(Self.clients)")
            try stack.expect("select min(completion_tokens) > 0 from usage", becomes: "t")
            try stack.expectAllSettled()
        }
    }

    @Test("who half-closes while an answer is due has left too", arguments: [true, false])
    func halfClose(stream: Bool) async throws {
        try await Stack.with { stack in
            let client = try stack.complete("id=half tokens=10000 interval=20", stream: stream, parameters: StopTests.long)
            _ = try stack.wait("the upstream to send tokens") {
                try stack.upstreamRecords("half").first { ($0["tokens_sent"]?.number?.integer ?? 0) > 2 }
            }
            client.halfClose()
            #expect(try stack.upstreamEnding("half") == "client_closed_midstream")
            try stack.expect("select outcome from usage", becomes: "client_gone")
            try stack.expectAllSettled()
        }
    }

    @Test("who does not read holds the upstream back, and gets every token when it reads again")
    func slowReader() async throws {
        try await Stack.with { stack in
            let client = try RawClient(port: stack.server.port, receiveBuffer: 4096)
            try client.sendRequest(
                "POST", "/api/complete", stack.fields(),
                body: #"{"prompt":"[[id=slow tokens=400 size=30000 interval=0 sndbuf=16384]]","stream":true,"max_tokens":400}"#)
            _ = try stack.wait("the upstream's socket to be full") {
                try stack.upstreamRecords("slow").first { $0["blocked"]?.bool == true }
            }
            let sent = try #require(try stack.upstreamRecords("slow").first?["bytes_sent"]?.number?.integer)
            #expect(sent < 11_000_000, "12 MB wait")
            let stream = try StreamTranscript(client.readResponse().body)
            #expect(stream.isDone)
            #expect(stream.usage?["completion_tokens"]?.integer == 400)
            #expect(stream.text.utf8.count == 400 * 30_000)
            #expect(try stack.completed("tokens=2").status == 200)
        }
    }
}

extension Stack {
    /// The client leaves, and the upstream sees its connection closed in this way within a second.
    func leave(_ client: RawClient, by departure: ClientGoneTests.Departure, id: String, ending: String) throws {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        departure.leave(client)
        #expect(try upstreamEnding(id) == ending)
        let left = Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
        let closed = try #require(try upstreamRecords(id).last?["ended_ns"]?.number?.integer)
        #expect(closed - left < 1_000_000_000, "closed \((closed - left) / 1_000_000) ms after the client left")
    }
}
