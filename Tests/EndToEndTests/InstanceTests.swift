import StrictJSON
import Synchronization
import TestSupport
import Testing

/// What holds for all users together: pauses, the instance's budgets, what an upstream may be asked.
@Suite("The whole instance")
struct InstanceTests {
    @Test("a pause holds for the next request on every replica, lets streams end, and is over as soon as it is ended")
    func pause() async throws {
        try await Stack.with(replicas: 2) { stack in
            let running = try stack.complete("id=runs tokens=20 interval=50", on: stack.replicas[1])
            _ = try running.readHead()
            try stack.operate("pause", "--reason", "Moving house")
            for replica in stack.replicas {
                let refused = try stack.completed("id=paused tokens=1", on: replica)
                #expect(refused.status == 503)
                #expect(refused.problemCode == "completions_paused")
                #expect(refused["retryable"]?.bool == true)
                #expect(refused.head["retry-after"] == "30")
                #expect(refused.head["x-ratelimit-limit-requests"] != nil)
                let limits = try stack.asUser("GET", "/api/limits", on: replica)
                #expect(limits["completions_paused"]?.bool == true)
                #expect(limits["pause_reason"]?.string == "Moving house")
                #expect(try stack.asUser("GET", "/api/presets", on: replica).status == 200)
                #expect(try stack.ask("GET", "/readyz", on: replica).status == 200)
            }
            #expect(try stack.operate("instance", "show").contains("Moving house"))
            #expect(try running.readEvents().last?.data == "[DONE]")
            try stack.operate("resume")
            for replica in stack.replicas {
                #expect(try stack.completed("tokens=1", on: replica).status == 200)
                let limits = try stack.asUser("GET", "/api/limits", on: replica)
                #expect(limits["completions_paused"]?.bool == false)
                #expect(limits["pause_reason"] == nil)
            }
            #expect(try stack.upstreamRecords("paused").isEmpty)
        }
    }

    @Test(
        "a budget counts what was spent and what ran before it was set, and holds for the next request on every replica",
        arguments: ["day", "month"])
    func budget(period: String) async throws {
        try await Stack.with(replicas: 2, users: 2) { stack in
            #expect(try stack.completed("prompt_tokens=60 completion_tokens=40").status == 200)
            try stack.expectAllSettled()
            // Reserves 5,000 and some, and will have used 300.
            let running = try stack.complete(
                "id=runs tokens=40 interval=50 prompt_tokens=100 completion_tokens=200", on: stack.replicas[1],
                token: stack.tokens[1], parameters: #""max_tokens":5000"#)
            _ = try running.readHead()
            let reserved = try #require(try stack.row("select reserved_tokens from reservations")[0].flatMap { Int($0) })
            #expect(reserved > 5000)

            let used = period == "day" ? "used_today" : "used_this_month"
            let set = try stack.instance("set", "--tokens-per-\(period)", "\(reserved + 1100)")
            #expect(set[used]?.number?.integer == Int64(reserved + 100))
            for replica in stack.replicas {
                let refused = try stack.completed("id=dear tokens=1", on: replica, parameters: #""max_tokens":1000"#)
                #expect(refused.status == 429)
                #expect(refused.problemCode == "insufficient_quota")
                #expect(refused.head["x-should-retry"] == "false")
                #expect(refused.head["retry-after"] != nil)
                #expect(refused["detail"]?.string?.contains("\(reserved)") == false, "nothing of what others spend")
            }
            #expect(try running.readEvents().last?.data == "[DONE]")
            try stack.expectAllSettled()
            #expect(try stack.instance("show")[used]?.number?.integer == 400, "what it did not use is back")
            #expect(try stack.completed("prompt_tokens=1 completion_tokens=1", parameters: #""max_tokens":1000"#).status == 200)
            try stack.expectAllSettled()
            #expect(try stack.instance("show")[used]?.number?.integer == 402)
            // While nothing is counted it is spent all the same.
            #expect(try stack.instance("set", "--tokens-per-\(period)", "none")[used] == .null)
            #expect(try stack.completed("prompt_tokens=1 completion_tokens=1", parameters: #""max_tokens":9000"#).status == 200)
            try stack.expectAllSettled()
            #expect(try stack.instance("set", "--tokens-per-\(period)", "404")[used]?.number?.integer == 404)
            #expect(try stack.completed("id=dear tokens=1").problemCode == "insufficient_quota")
            #expect(try stack.upstreamRecords("dear").isEmpty)
        }
    }

    @Test("a budget that is set in the middle of a crowd is exact: it counts each completion once")
    func crowd() async throws {
        try await Stack.with(replicas: 2, users: 4) { stack in
            let isOver = Atomic(false)
            try concurrently(5) { worker in
                if worker == 4 {
                    defer { isOver.store(true, ordering: .relaxed) }
                    for round in 0..<12 {
                        try stack.operate("instance", "set", "--tokens-per-day", round % 2 == 0 ? "100000000" : "none")
                    }
                    try stack.operate("instance", "set", "--tokens-per-day", "100000000")
                } else {
                    while !isOver.load(ordering: .relaxed) {
                        let answer = try stack.completed(
                            "prompt_tokens=3 completion_tokens=4", on: stack.replicas[worker % 2], token: stack.tokens[worker])
                        #expect(answer.status == 200)
                    }
                }
            }
            try stack.expectAllSettled()
            let billed = try #require(try stack.row("select sum(prompt_tokens + completion_tokens) from usage")[0])
            #expect(try stack.instance("show")["used_today"]?.number?.literal == billed)
        }
    }

    @Test("twenty new users together cannot spend more than the instance's budget")
    func manyUsers() async throws {
        let budget = 1000
        try await Stack.with(replicas: 2, users: 20) { stack in
            try stack.operate("instance", "set", "--tokens-per-day", "\(budget)")
            let counts = Mutex<[String: Int]>([:])
            // Each uses all that it reserves or a little less.
            try concurrently(20) { worker in
                for round in 0..<3 {
                    let answer = try stack.completed(
                        "id=crowd prompt_tokens=10 completion_tokens=50", stream: worker % 2 == 0,
                        on: stack.replicas[round % 2], token: stack.tokens[worker])
                    let outcome = answer.status == 200 ? "200" : answer.problemCode ?? "\(answer.status)"
                    counts.withLock { $0[outcome, default: 0] += 1 }
                }
            }
            let outcomes = counts.withLock { $0 }
            #expect(Set(outcomes.keys) == ["200", "insufficient_quota"])
            let admitted = outcomes["200", default: 0]
            #expect(try stack.upstreamRecords("crowd").count == admitted)
            try stack.expectAllSettled()
            let billed = try #require(
                try stack.row("select sum(prompt_tokens + completion_tokens) from usage")[0].flatMap { Int($0) })
            #expect(billed == admitted * 60)
            #expect(billed <= budget)
            #expect(billed > budget / 2, "and it is not wasted: \(billed)")
        }
    }

    @Test("what an upstream may be asked in a minute holds over all users and replicas")
    func upstreamRate() async throws {
        try await Stack.with(replicas: 2, users: 4, environment: ["UPSTREAM_REQUESTS_PER_MINUTE": "3"]) { stack in
            let answers = try stack.tokens.indices.map {
                try stack.completed("id=rate tokens=1", stream: false, on: stack.replicas[$0 % 2], token: stack.tokens[$0])
            }
            #expect(answers.map(\.status) == [200, 200, 200, 429])
            #expect(answers[3].problemCode == "rate_limit_exceeded")
            #expect(answers[3]["retryable"]?.bool == true)
            #expect((1...20).contains(answers[3].head["retry-after"].flatMap { Int($0) } ?? 0))
            #expect(answers[3].head["x-ratelimit-remaining-requests"] == "100000", "nothing of it is the user's own")
            #expect(try stack.upstreamRecords("rate").count == 3)
        }
    }

    @Test("where an upstream has no room the next that has the model is asked, and none where none has")
    func secondUpstream() async throws {
        try await UpstreamPair.with { north, south in
            """
            {"upstreams": [
              {"name": "north", "url": "\(north.url)", "key_file": "north-key", "requests_per_minute": 2},
              {"name": "south", "url": "\(south.url)", "key": "\(south.key)", "priority": 1, "tokens_per_minute": 300}
            ]}
            """
        } body: { stack, north, south in
            let used = "id=room prompt_tokens=20 completion_tokens=80"
            for (fromNorth, fromSouth) in [(1, 0), (2, 0), (2, 1), (2, 2)] {
                #expect(try stack.completed(used, parameters: #""max_tokens":100"#).status == 200)
                try stack.expectAllSettled()
                #expect(try north.records("room").count == fromNorth)
                #expect(try south.records("room").count == fromSouth)
            }
            // 100 are left there, and a little that came back meanwhile.
            let refused = try stack.completed(used, parameters: #""max_tokens":250"#)
            #expect(refused.status == 429)
            #expect(refused.problemCode == "rate_limit_exceeded")
            #expect(refused.head["retry-after"] != nil)
            #expect(try stack.completed(used, parameters: #""max_tokens":40"#).status == 200)
            #expect(try south.records("room").count == 3)
        }
    }
}

extension Stack {
    /// Runs `instance` with these arguments; what it answers to programs.
    fileprivate func instance(_ arguments: String...) throws -> JSONValue {
        try JSONValue(parsing: Self.run(["instance"] + arguments + ["--json"], environment).joined(separator: "\n"))
    }
}
