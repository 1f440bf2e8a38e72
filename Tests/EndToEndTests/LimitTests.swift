import Glibc
import StrictJSON
import Synchronization
import TestSupport
import Testing

/// Limits, as the user of an API meets them, and as two replicas share them.
@Suite("Limits")
struct LimitTests {
    static let rateFields = [
        "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests",
        "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens",
    ]

    @Test("refuse the request after the last, and say for how long; the retry after that succeeds")
    func requests() async throws {
        // One request comes back every two seconds.
        try await Stack.with(environment: ["RATE_LIMIT_REQUESTS_PER_MINUTE": "30"]) { stack in
            var refused: RawClient.Response?
            for _ in 0..<40 where refused == nil {
                let answer = try stack.completed("tokens=1", stream: false)
                if answer.status != 200 { refused = answer }
            }
            let answer = try #require(refused)
            #expect(answer.status == 429)
            #expect(answer.problemCode == "rate_limit_exceeded")
            #expect(answer["retryable"]?.bool == true)
            #expect(answer.head["x-should-retry"] == nil)
            #expect(answer.head["x-ratelimit-remaining-requests"] == "0")
            let milliseconds = try #require(answer.head["retry-after-ms"].flatMap { Int($0) })
            #expect((1...2000).contains(milliseconds))
            #expect(answer.head["retry-after"] == "\((milliseconds + 999) / 1000)")
            #expect(answer["retry_after_ms"]?.integer == milliseconds)
            // The promise is about time, so this waits for the time it names.
            usleep(UInt32(milliseconds) * 1000)
            #expect(try stack.completed("tokens=1", stream: false).status == 200)
        }
    }

    @Test("refuse what costs more tokens than are left, and settle to what was really used")
    func tokens() async throws {
        try await Stack.with(environment: ["RATE_LIMIT_TOKENS_PER_MINUTE": "600"]) { stack in
            // Reserved 500 and more; used 2: the difference comes back.
            let parameters = #""max_tokens":500"#
            let first = try stack.completed("tokens=2 prompt_tokens=1", parameters: parameters)
            #expect(first.status == 200)
            #expect(first.head["x-ratelimit-limit-tokens"] == "600")
            let left = try #require(first.head["x-ratelimit-remaining-tokens"].flatMap { Int($0) })
            #expect((70...100).contains(left), "reserved is the estimate of the prompt and all of max_tokens")
            try stack.expectAllSettled()
            #expect(try stack.completed("tokens=2 prompt_tokens=1", stream: false, parameters: parameters).status == 200)
            try stack.expectAllSettled()
            // Used 900, more than was reserved: the bucket goes below zero and the next has to wait for that too.
            #expect(try stack.completed("tokens=9 completion_tokens=500 prompt_tokens=400", parameters: parameters).status == 200)
            try stack.expectAllSettled()
            let refused = try stack.completed("tokens=2", parameters: parameters)
            #expect(refused.status == 429)
            #expect(refused.problemCode == "rate_limit_exceeded")
            let seconds = try #require(refused.head["retry-after"].flatMap { Int($0) })
            #expect((70...90).contains(seconds), "at 10 tokens a second, \(seconds) s")
            #expect(refused.head["x-ratelimit-remaining-tokens"] == "0")
        }
    }

    @Test("tell what can never succeed from what has to wait")
    func exceedsPlan() async throws {
        try await Stack.with(environment: ["RATE_LIMIT_TOKENS_PER_MINUTE": "600"]) { stack in
            let answer = try stack.completed("id=never tokens=2", parameters: #""max_tokens":601"#)
            #expect(answer.status == 429)
            #expect(answer.problemCode == "request_exceeds_plan")
            #expect(answer.head["x-should-retry"] == "false")
            #expect(answer.head["retry-after"] == nil)
            #expect(answer["retryable"]?.bool == false)
            #expect(try stack.upstreamRecords("never").isEmpty)
        }
    }

    @Test("let so many streams run at one time, and the next one when one has ended or was left")
    func concurrency() async throws {
        try await Stack.with(replicas: 2, environment: ["MAX_CONCURRENT_STREAMS": "2"]) { stack in
            let running = try stack.replicas.map { replica in
                let client = try stack.complete("tokens=1000 interval=50", on: replica, parameters: StopTests.long)
                _ = try client.readHead()
                return client
            }
            for replica in stack.replicas {
                for isStream in [true, false] {
                    let answer = try stack.completed("tokens=1", stream: isStream, on: replica)
                    #expect(answer.status == 429)
                    #expect(answer.problemCode == "concurrency_limit")
                    #expect(answer.head["retry-after"] == "1")
                    #expect(answer["retryable"]?.bool == true)
                }
            }
            running[0].close()
            try stack.expect("select sum(in_flight) from buckets", becomes: "1")
            #expect(try stack.completed("tokens=1", on: stack.replicas[1]).status == 200)
        }
    }

    @Test("are told on every answer to an authenticated completion request: streams, refusals and bad requests")
    func fields() async throws {
        try await Stack.with(
            users: 2, environment: ["RATE_LIMIT_REQUESTS_PER_MINUTE": "60", "RATE_LIMIT_TOKENS_PER_MINUTE": "1000"]
        ) { stack in
            let id = "0190b5a0-0000-7000-8000-000000000003"
            let answers = [
                try stack.completed("tokens=1", id: id), try stack.completed("tokens=1", stream: false),
                try stack.completed("status=500"), try stack.completed("tokens=1", parameters: #""max_tokens":0"#),
                try stack.completed("tokens=1", parameters: #""max_tokens":5000"#), try stack.completed("tokens=1", id: "no id"),
                try stack.asUser("POST", "/api/complete", "{"), try stack.completed("tokens=1", id: id),
                try stack.asUser("POST", "/api/complete", #"{"preset_id":"\#(BadInputTests.id)"}"#),
                try stack.asUser("POST", "/api/complete", "x", fields: ["Content-Type": "text/plain"]),
            ]
            #expect(answers.map(\.status) == [200, 200, 502, 400, 429, 400, 400, 409, 404, 415])
            for answer in answers {
                for field in Self.rateFields { #expect(answer.head[field] != nil, "\(answer.status) without \(field)") }
                #expect(answer.head["x-ratelimit-limit-requests"] == "60")
                let reset = try #require(answer.head["x-ratelimit-reset-tokens"])
                #expect(reset.wholeMatch(of: /(\d+h)?(\d+m)?(\d+(\.\d+)?s)|\d+ms/) != nil, "\(reset)")
            }
            let other = try stack.ask("POST", "/api/complete", ["Content-Type": "application/json"], body: "{}")
            #expect(other.status == 401)
            #expect(other.head["x-ratelimit-limit-requests"] == nil, "nobody is known here")
        }
    }

    @Test("take one request and no tokens for a bad request")
    func badRequest() async throws {
        // So slow a refill that none happens during the test.
        try await Stack.with(environment: ["RATE_LIMIT_REQUESTS_PER_MINUTE": "3", "RATE_LIMIT_TOKENS_PER_MINUTE": "100"]) {
            stack in
            let first = try stack.completed("tokens=1", parameters: #""max_tokens":"many""#)
            #expect(first.status == 400)
            #expect(first.head["x-ratelimit-remaining-requests"] == "2")
            #expect(first.head["x-ratelimit-remaining-tokens"] == "100")
            for _ in 0..<2 { _ = try stack.completed("tokens=1", parameters: #""max_tokens":"many""#) }
            #expect(try stack.completed("tokens=1").problemCode == "rate_limit_exceeded")
            #expect(try stack.row("select count(*) from usage") == ["0"])
        }
    }

    @Test("hold over two replicas together: never more than one bucket's worth is admitted")
    func twoReplicas() async throws {
        let perMinute = 40
        try await Stack.with(
            replicas: 2, environment: ["RATE_LIMIT_REQUESTS_PER_MINUTE": "\(perMinute)", "MAX_CONCURRENT_STREAMS": "3"]
        ) { stack in
            let begun = ContinuousClock.now
            let statuses = Mutex<[Int: Int]>([:])
            try concurrently(8) { worker in
                for _ in 0..<15 {
                    let answer = try stack.completed(
                        "tokens=2 interval=10", stream: worker % 2 == 0, on: stack.replicas[worker % 2])
                    statuses.withLock { $0[answer.status, default: 0] += 1 }
                }
            }
            let elapsed = Double((ContinuousClock.now - begun).components.seconds + 1)
            let counts = statuses.withLock { $0 }
            #expect(counts.values.reduce(0, +) == 120)
            #expect(Set(counts.keys).isSubset(of: [200, 429]))
            let admitted = counts[200, default: 0]
            #expect(admitted <= perMinute + Int(elapsed * Double(perMinute) / 60) + 1, "\(counts) in \(elapsed) s")
            #expect(admitted >= 10)
            #expect(try stack.upstreamMostOpen() <= 3, "slots are shared too")
            try stack.expect("select count(*) from usage", becomes: "\(admitted)")
            try stack.expectAllSettled()
        }
    }

    @Test("of tokens hold over two replicas together: what is reserved never exceeds one bucket")
    func tokensOverTwoReplicas() async throws {
        let perMinute = 1000
        try await Stack.with(replicas: 2, environment: ["RATE_LIMIT_TOKENS_PER_MINUTE": "\(perMinute)"]) { stack in
            let begun = ContinuousClock.now
            let admitted = Mutex(0)
            // Each uses all of its max_tokens, and no more for its prompt than was estimated: a bucket never goes below zero.
            try concurrently(8) { worker in
                for _ in 0..<6 {
                    let answer = try stack.completed(
                        "completion_tokens=50 prompt_tokens=10", stream: worker % 2 == 0, on: stack.replicas[worker / 4])
                    #expect([200, 429].contains(answer.status))
                    if answer.status == 200 { admitted.withLock { $0 += 1 } }
                }
            }
            let elapsed = Double((ContinuousClock.now - begun).components.seconds + 1)
            let count = admitted.withLock { $0 }
            #expect(count * 60 <= perMinute + Int(elapsed * Double(perMinute) / 60), "\(count) admitted in \(elapsed) s")
            #expect(count >= 10)
            try stack.expect("select count(*) from usage", becomes: "\(count)")
            try stack.expectAllSettled()
        }
    }
}

extension Stack {
    /// The most completions that the upstream ever answered at one time.
    func upstreamMostOpen() throws -> Int {
        let stats = try upstream.client().request("GET", "/_stats")
        guard let figure = stats["max_open"]?.integer else { throw TestFailure("no max_open in \(stats.text)") }
        return figure
    }
}
