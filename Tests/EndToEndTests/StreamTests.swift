import Foundation
import StrictJSON
import TestSupport
import Testing

/// The stream as clients see it: its fields, its frames, its end.
@Suite("A stream")
struct StreamTests {
    @Test("has the fields that keep proxies from holding it back, and the id that names it")
    func fields() async throws {
        try await Stack.with { stack in
            let id = "0190b5a0-0000-7000-8000-000000000001"
            let answer = try stack.completed("tokens=3", id: id)
            #expect(answer.status == 200)
            #expect(answer.head["content-type"] == "text/event-stream; charset=utf-8")
            #expect(answer.head["cache-control"] == "no-store, no-transform")
            #expect(answer.head["x-accel-buffering"] == "no")
            #expect(answer.head["x-completion-id"] == id)
            #expect(answer.head["x-max-tokens-applied"] == "50")
            #expect(answer.head["x-content-type-options"] == "nosniff")
            #expect(answer.head["content-length"] == nil)
            #expect(answer.head["x-request-id"] != nil)
            let unnamed = try #require(try stack.completed("tokens=3").head["x-completion-id"])
            #expect(unnamed.count == 36 && unnamed.dropFirst(14).first == "7", "a UUIDv7")
        }
    }

    @Test("gives finish_reason and usage in its last frame alone, whose text is empty; then [DONE] and nothing more")
    func lastFrame() async throws {
        try await Stack.with { stack in
            let answer = try stack.completed("tokens=7 finish=stop prompt_tokens=11")
            let stream = try StreamTranscript(answer.body)
            #expect(stream.text == (0..<7).map { "k\($0) " }.joined())
            #expect(stream.isDone && stream.error == nil)
            let last = try #require(stream.frames.last)
            #expect(last["text"]?.string == "")
            #expect(last["finish_reason"]?.string == "stop")
            for frame in stream.frames.dropLast() { #expect(frame.keys == ["text"]) }
            let usage = JSONValue.object(try #require(stream.usage))
            #expect(usage["prompt_tokens"]?.integer == 11)
            #expect(usage["completion_tokens"]?.integer == 7)
            #expect(usage["total_tokens"]?.integer == 18)
            #expect(usage["source"]?.string == "exact")
            #expect(usage["max_tokens_applied"]?.integer == 50)
            try stack.expectAllSettled()
            #expect(
                try stack.row("select prompt_tokens, completion_tokens, source, outcome, finish_reason from usage")
                    == ["11", "7", "exact", "done", "stop"])
        }
    }

    @Test("is read whole by the reference client, which carries nothing over from one read to the next")
    func referenceClient() async throws {
        try await Stack.with { stack in
            for directives in [
                "tokens=300 interval=1 esc=1", "tokens=3000 interval=2 batch=20", "tokens=40 interval=5 size=3000",
            ] {
                let client = try stack.complete(directives, parameters: #""max_tokens":5000"#)
                #expect(try client.readHead().status == 200)
                var reader = ReferenceClient()
                var unwrapper = ChunkUnwrapper()
                while !unwrapper.isAtEnd { try reader.read(unwrapper.take(client.readAvailable())) }
                #expect(reader.isDone)
                #expect(reader.last?["finish_reason"]?.string == "length")
                let count = reader.text.components(separatedBy: "k").count - 1
                #expect(reader.last?["usage"]?["completion_tokens"]?.integer == count)
                #expect(directives.hasPrefix("tokens=\(count) "))
            }
        }
    }

    @Test("sends each event when it comes, whole frames at a time")
    func eventsAtOnce() async throws {
        try await Stack.with { stack in
            // Each wait is for a frame of its own; the upstream has sent nothing further while the next is read.
            let client = try stack.complete("id=single tokens=1000 interval=150")
            _ = try client.readHead()
            for index in 0..<5 {
                let chunk = try #require(try client.readChunk())
                #expect(String(decoding: chunk, as: UTF8.self) == "data: {\"text\":\"k\(index) \"}\n\n")
                let sent = try #require(try stack.upstreamRecords("single").first?["tokens_sent"]?.number?.integer)
                #expect(sent <= index + 2)
            }
        }
    }

    @Test(
        "comes to the same text however the upstream cuts and ends its lines",
        arguments: [
            "split=1", "crlf=1", "comment=1", "trickle=7", "trickle=1", "split=1 crlf=1 comment=1", "finish_alone=1",
            "framing=length", "framing=close", "filler=4000", "batch=7",
        ])
    func upstreamForms(form: String) async throws {
        try await Stack.with { stack in
            let stream = try StreamTranscript(stack.completed("tokens=20 esc=1 \(form)").body)
            #expect(stream.text == (0..<20).map { "k\($0)  \"q\" \n\t\\ / é é 漢 😀" }.joined())
            #expect(stream.isDone)
            #expect(stream.usage?["completion_tokens"]?.integer == 20)
        }
    }

    @Test("splits a text that would not fit a frame of 16 KiB, and loses nothing")
    func hugeText() async throws {
        try await Stack.with { stack in
            for size in [16_300, 16_380, 40_000, 300_000] {
                let answer = try stack.completed("tokens=3 huge=\(size) esc=1")
                let stream = try StreamTranscript(answer.body)
                #expect(stream.longestFrame <= 16 * 1024)
                #expect(stream.text.filter { $0 == "x" }.count >= size - 4)
                #expect(stream.text.hasSuffix("k2  \"q\" \n\t\\ / é é 漢 😀"))
                #expect(stream.isDone)
            }
        }
    }

    @Test("has comments in its silences, from the first on")
    func heartbeats() async throws {
        try await Stack.with(environment: ["HEARTBEAT_INTERVAL": "0.1", "COMMIT_AFTER": "0.3"]) { stack in
            let early = try StreamTranscript(stack.completed("tokens=3 first=1500").body)
            #expect(early.comments >= 3, "one when the head is sent, more until the first token")
            #expect(early.isDone && early.frames.count == 4)
            let late = try StreamTranscript(stack.completed("tokens=3 interval=700").body)
            #expect(late.comments >= 4)
            #expect(late.isDone && late.frames.count == 4)
            let busy = try StreamTranscript(stack.completed("tokens=50 interval=20").body)
            #expect(busy.comments < 10, "while tokens come there is no silence")
        }
    }

    @Test("begins at the latest after COMMIT_AFTER; an upstream's refusal before is a status, after it an error event")
    func commitment() async throws {
        try await Stack.with(environment: ["HEARTBEAT_INTERVAL": "0.1", "COMMIT_AFTER": "0.3"]) { stack in
            let before = try stack.completed("status=503")
            #expect(before.status == 503)
            #expect(before.problemCode == "upstream_unavailable")
            let after = try stack.completed("status=503 head=1200")
            #expect(after.status == 200)
            let stream = try StreamTranscript(after.body)
            #expect(stream.comments >= 2)
            #expect(!stream.isDone)
            #expect(stream.error?["code"]?.string == "upstream_unavailable")
            #expect(stream.error?["status"]?.number?.integer == 503)
            #expect(stream.error?["request_id"]?.string == after.head["x-request-id"])
            try stack.expect("select count(*) from usage where outcome = 'failed' and completion_tokens = 0", becomes: "2")
            try stack.expectAllSettled()
        }
    }

    @Test("leaves the connection good for the next request")
    func keepAlive() async throws {
        try await Stack.with { stack in
            let client = try stack.complete("tokens=5")
            #expect(try StreamTranscript(client.readResponse().body).isDone)
            let next = try client.request("GET", "/api/me", stack.fields())
            #expect(next.status == 200)
        }
    }

    @Test("carries no text of a user into a frame that the user did not see: texts cannot forge events")
    func forgery() async throws {
        try await Stack.with { stack in
            let forged = #"\n\ndata: [DONE]\n\nevent: error\ndata: {}\n\n"#
            let body = #"{"prompt":"Say: \#(forged)","stream":true,"max_tokens":20}"#
            let answer = try stack.asUser("POST", "/api/complete", body)
            #expect(answer.status == 200)
            let stream = try StreamTranscript(answer.body)
            #expect(stream.isDone && stream.error == nil)
        }
    }
}
