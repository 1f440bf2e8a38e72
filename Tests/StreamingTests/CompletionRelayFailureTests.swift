import EventLoop
import PlaygroundCore
import Testing

@testable import Streaming

@Suite struct CompletionRelayFailureTests {
    typealias C = Completions

    // MARK: Failures

    @Test(
        "before the first output a failure is a status, and nothing is written",
        arguments: [
            (UpstreamFault.brokeOff("reset", isAfterHead: false), ErrorCode.upstreamError),
            (.timedOut(.firstByte), .upstreamTimeout),
        ])
    func failsBeforeHead(fault: UpstreamFault, code: ErrorCode) async throws {
        let seen = try await RelayScene.observe { scene in
            scene.upstream.after(.zero) { relay, _ in relay.failed(fault) }
        }
        #expect(seen.thrown?.code == code)
        #expect(seen.writes.isEmpty)
        #expect(seen.progress == RelayScene.usage(0, 0, .estimated))
        #expect(seen.stillOpen == 0)
    }

    @Test(
        "an error event or the end of the body before any output is a status too",
        arguments: ["", #"data: {"error":{}}"# + "\n\n"])
    func failsBeforeOutput(body: String) async throws {
        let seen = try await RelayScene.observe { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                relay.give(body)
                relay.completed()
            }
        }
        #expect(seen.thrown?.code == .upstreamError)
        #expect(seen.writes.isEmpty)
        #expect(seen.outputIsEmpty)
        #expect(seen.progress == RelayScene.usage(0, 0, .estimated))
    }

    @Test(
        "a 200 that is no event stream is an upstream error",
        arguments: ["application/json", "text/html", nil, "text/event-streams"])
    func noStream(contentType: String?) async throws {
        let seen = try await RelayScene.observe { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head(200, contentType)
                relay.wakeUp("{}")
            }
        }
        #expect(seen.thrown?.code == .upstreamError)
        #expect(seen.calls == ["cancel"])
    }

    @Test("after output a failure is an event, the last bytes, and no [DONE]")
    func failsAfterOutput() async throws {
        let seen = try await RelayScene.observe { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                relay.wakeUp(C.event("a"))
            }
            scene.upstream.after(.zero) { relay, _ in
                relay.give(C.event("b"))
                relay.failed(UpstreamFault.brokeOff("reset", isAfterHead: true))
            }
        }
        let error = "event: error\ndata: {\"code\":\"upstream_error\"}\n\n"
        #expect(seen.texts == [C.frame("a"), C.frame("b") + error])
        #expect(seen.writes.map(\.isLast) == [false, true])
        guard case .failed(let failure) = seen.outcome?.ending else {
            Issue.record("ended as \(String(describing: seen.outcome))")
            return
        }
        #expect(failure.code == .upstreamError)
        #expect(seen.outcome?.usage == RelayScene.usage(7, 2, .counted))
    }

    @Test("a malformed event after output cancels the exchange and ends in an event")
    func malformedAfterOutput() async throws {
        let seen = try await RelayScene.observe { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head()
                relay.wakeUp(C.event("a") + "data: {\n\n" + C.event("b"))
            }
        }
        #expect(seen.text == C.frame("a") + "event: error\ndata: {\"code\":\"upstream_error\"}\n\n")
        #expect(seen.calls == ["cancel"])
    }

    static let refusals: [(status: Int, body: String, code: ErrorCode)] = [
        (401, #"{"error":{"message":"Incorrect API key provided: sk-secret","code":"invalid_api_key"}}"#, .upstreamError),
        (403, "", .upstreamError), (429, "", .upstreamRateLimited), (503, "", .upstreamUnavailable), (500, "", .upstreamError),
        (502, "", .upstreamError), (504, "", .upstreamError), (529, "", .upstreamError), (302, "", .upstreamError),
        (204, "", .upstreamError), (418, "", .upstreamError), (400, "", .invalidRequest), (404, "not JSON", .invalidRequest),
        (413, "", .invalidRequest), (422, #"{"detail":[]}"#, .invalidRequest),
        (400, #"{"error":{"code":"context_length_exceeded","type":"invalid_request_error"}}"#, .contextLengthExceeded),
        (404, #"{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}"#, .modelNotFound),
        (404, #"{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","code":404}"#, .modelNotFound),
        (
            400, #"{"object":"error","message":"This model's maximum context length is 8 tokens.","code":400}"#,
            .contextLengthExceeded
        ),
        (500, #"{"error":{"code":"model_not_found"}}"#, .upstreamError),
        (400, #"{"error":{"code":"integer_below_min_value"}}"#, .invalidRequest),
    ]

    @Test("each status of the upstream has its class, and nothing it wrote is shown", arguments: refusals)
    func refused(status: Int, body: String, code: ErrorCode) async throws {
        let seen = try await RelayScene.observe { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head(status, "application/json", retryAfter: "17")
                relay.wakeUp(String(body.prefix(9)))
            }
            scene.upstream.after(.zero) { relay, _ in
                relay.give(String(body.dropFirst(9)))
                relay.completed()
            }
        }
        #expect(seen.thrown?.code == code)
        #expect(seen.thrown?.retryAfter == (status == 429 || status == 503 ? .seconds(17) : nil))
        #expect(seen.thrown.map { !$0.detail.contains("sk-") && !($0.cause ?? "").contains("sk-") } == true)
        #expect(seen.thrown.map { !$0.detail.contains("`x`") && !($0.cause ?? "").contains("`x`") } == true)
        #expect(seen.progress == RelayScene.usage(0, 0, .exact))
        #expect(seen.writes.isEmpty)
    }

    @Test("a refusal is read up to 64 KiB, and then judged by its status")
    func longRefusal() async throws {
        let seen = try await RelayScene.observe { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head(400, "application/json")
                for _ in 0..<70 { relay.wakeUp(String(repeating: " ", count: 1024)) }
            }
        }
        #expect(seen.thrown?.code == .invalidRequest)
        #expect(seen.calls == ["cancel"])
    }

    @Test("a refusal that breaks off, or is not done when the answer is due, is judged by its status", arguments: [true, false])
    func cutRefusal(breaks: Bool) async throws {
        let timing = RelayTiming(commitAfter: .milliseconds(30))
        let seen = try await RelayScene.observe(timing: timing) { scene in
            scene.upstream.after(.zero) { relay, _ in
                relay.head(429, "application/json")
                if breaks { relay.failed(UpstreamFault.brokeOff("reset", isAfterHead: true)) }
            }
        }
        #expect(seen.thrown?.code == .upstreamRateLimited)
    }
}
