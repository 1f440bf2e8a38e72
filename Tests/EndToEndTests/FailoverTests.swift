import Foundation
import StrictJSON
import TestSupport
import Testing

/// Both upstreams have every model, `north` goes first, and a header makes it alone misbehave.
@Suite("When the first upstream fails, the second is asked")
struct FailoverTests {
    /// A file of both; `directives` are what north does to every request.
    private static func listing(_ directives: String) -> @Sendable (UpstreamPair.Simulated, UpstreamPair.Simulated) -> String {
        { north, south in
            // The order of the file is not that of the priorities.
            """
            {"upstreams": [
              {"name": "south", "url": "\(south.url)", "key": "\(south.key)", "priority": 2},
              {"name": "north", "url": "\(north.url)", "key": "\(north.key)", "priority": 1,
               "timeouts": {"connect": 1, "first_byte": 0.5, "first_token": 1}\(directives.isEmpty
                ? "" : #", "headers": {"X-Directives": "[[id=first \#(directives)]]"}"#)}
            ]}
            """
        }
    }

    @Test("while the first one is well, it alone is asked, wherever it stands in the file")
    func priority() async throws {
        try await UpstreamPair.with(listing: Self.listing("")) { stack, north, south in
            for isStream in [true, false] {
                #expect(try stack.completed("tokens=2 id=both", stream: isStream).status == 200)
            }
            #expect(try north.records("both").count == 2)
            #expect(try south.records("both").isEmpty)
            try stack.expectAllSettled()
        }
    }

    @Test("the client of a first one that is down gets its completion from the second, and hears of nothing")
    func refusedConnection() async throws {
        try await UpstreamPair.with(listing: Self.listing("")) { stack, north, south in
            try north.replica.process.kill()
            for isStream in [true, false] {
                let answer = try stack.completed("tokens=3 id=saved", stream: isStream)
                #expect(answer.status == 200)
                #expect(try answer.completionText(isStream: isStream) == "k0 k1 k2 ")
            }
            #expect(try south.records("saved").map { $0["authorization"]?.string } == ["ok", "ok"])
            try stack.expect("select count(*) from usage where outcome = 'done'", becomes: "2")
            try stack.expectAllSettled()
        }
    }

    @Test(
        "so does the client of one that fails before it said anything",
        arguments: [
            "status=503", "status=503 retry_after=30", "status=502", "status=500", "status=429", "status=401", "garbage=1",
            "drop_head=1", "fin_head=1", "stall_head=1", "empty=1", "error_after=0", "stall_after=0", "fin_after=0",
            "tokens=0 finish=abort",
        ])
    func failureBeforeOutput(directives: String) async throws {
        try await UpstreamPair.with(listing: Self.listing(directives)) { stack, north, south in
            let answer = try stack.completed("tokens=3 id=saved")
            #expect(answer.status == 200)
            let stream = try StreamTranscript(answer.body)
            #expect(stream.error == nil)
            #expect(stream.isDone)
            #expect(stream.text == "k0 k1 k2 ")
            #expect(try north.records("first").count == 1)
            #expect(try south.records("saved").count == 1)
            let id = try #require(answer.head["x-completion-id"])
            let row = try stack.row("select completion_tokens, outcome from usage where completion_id = '\(id)'")
            #expect(row == ["3", "done"], "billed once, for what was delivered")
            try stack.expectAllSettled()
        }
    }

    @Test("a request that the first one calls wrong is not carried to the second", arguments: ["status=400", "status=422"])
    func wrongRequest(directives: String) async throws {
        try await UpstreamPair.with(listing: Self.listing(directives)) { stack, north, south in
            let answer = try stack.completed("tokens=3 id=saved")
            #expect(answer.status == 400)
            #expect(answer.problemCode != nil)
            #expect(try north.records("first").count == 1)
            #expect(try south.records("saved").isEmpty)
        }
    }

    @Test("nor is one of which the client has seen a part: that stream ends with an error")
    func failureAfterOutput() async throws {
        try await UpstreamPair.with(listing: Self.listing("tokens=9 drop_after=2 interval=50")) { stack, _, south in
            let stream = try StreamTranscript(stack.completed("tokens=3 id=saved").body)
            #expect(stream.text == "k0 k1 ")
            #expect(stream.error?["code"]?.string == "upstream_error")
            #expect(!stream.isDone)
            #expect(try south.records("saved").isEmpty)
            try stack.expectAllSettled()
        }
    }

    @Test("with both down the client is told so by a status, and a later attempt succeeds when one is back")
    func bothDown() async throws {
        try await UpstreamPair.with(["COMMIT_AFTER": "2"], listing: Self.listing("")) { stack, north, south in
            try north.replica.process.kill()
            try south.replica.process.kill()
            for isStream in [true, false] {
                let answer = try stack.completed("tokens=3", stream: isStream)
                #expect([502, 503].contains(answer.status), "\(answer.status)")
                #expect(answer["retryable"]?.bool == true)
            }
            let back = try Stack.Replica(
                ChildProcess("UpstreamSimulator", ["--key", south.key, "--port", "\(south.replica.port)"]))
            defer { back.process.signal(SIGKILL) }
            // A breaker may keep it out of the way for a while.
            _ = try stack.wait("a completion from the one that is back", within: .seconds(20)) {
                try stack.completed("tokens=3").status == 200 ? true : nil
            }
            try stack.expectAllSettled()
        }
    }
}

@Suite("A chat upstream")
struct ChatUpstreamTests {
    @Test("gets the prompt as a message, and its deltas come back as texts; what it has no words for is refused by name")
    func chat() async throws {
        try await UpstreamPair.with { north, south in
            """
            {"upstreams": [
              {"name": "north", "url": "\(north.url)", "key": "\(north.key)", "models": ["davinci-002"]},
              {"name": "south", "url": "\(south.url)", "key": "\(south.key)", "kind": "chat", "models": ["babbage-002"]}
            ]}
            """
        } body: { stack, north, south in
            let parameters = #""model":"babbage-002","max_tokens":7"#
            for isStream in [true, false] {
                let answer = try stack.completed("tokens=3 id=chat", stream: isStream, parameters: parameters)
                #expect(answer.status == 200)
                #expect(try answer.completionText(isStream: isStream) == "k0 k1 k2 ")
            }
            #expect(try south.records("chat").count == 2)
            #expect(try north.records("chat").isEmpty)
            let asked = try south.lastBody()
            #expect(asked["messages.0.role"]?.string == "user")
            #expect(asked["messages.0.content"]?.string?.hasSuffix(Stack.promptMark) == true)
            #expect(asked["max_completion_tokens"]?.integer == 7)
            #expect(asked["prompt"] == nil)
            let refused = try stack.completed("tokens=3 id=suffix", parameters: parameters + #","suffix":"the end""#)
            #expect(refused.status == 400)
            #expect(refused.problemCode == "unsupported_parameter")
            #expect(refused["param"]?.string == "suffix")
            try stack.expectAllSettled()
        }
    }

    @Test("stands in for a completion upstream that is down")
    func standIn() async throws {
        try await UpstreamPair.with { north, south in
            """
            {"upstreams": [
              {"name": "north", "url": "\(north.url)", "key": "\(north.key)"},
              {"name": "south", "url": "\(south.url)", "key": "\(south.key)", "kind": "chat"}
            ]}
            """
        } body: { stack, north, south in
            try north.replica.process.kill()
            let stream = try StreamTranscript(stack.completed("tokens=3 id=chat", parameters: #""max_tokens":9"#).body)
            #expect(stream.isDone)
            #expect(stream.text == "k0 k1 k2 ")
            #expect(try south.records("chat").count == 1)
        }
    }
}

extension RawClient.Response {
    /// The text of a completion that ended well; nil where it did not.
    fileprivate func completionText(isStream: Bool) throws -> String? {
        guard isStream else { return self["text"]?.string }
        let stream = try StreamTranscript(body)
        return stream.isDone ? stream.text : nil
    }
}
