import Foundation
import StrictJSON
import TestSupport
import Testing

/// What operators say about plans, and how users of two replicas feel it: at the very next request.
@Suite("Plans")
struct PlanTests {
    @Test("a change of a plan, an assignment and an override hold for the next request on every replica")
    func changes() async throws {
        try await Stack.with(replicas: 2) { stack in
            let user = try stack.userID()
            func expect(_ applied: String, _ parameters: String = #""max_tokens":50"#) throws {
                for replica in stack.replicas {
                    let answer = try stack.completed("tokens=1", stream: false, on: replica, parameters: parameters)
                    #expect(answer.status == 200)
                    #expect(answer.head["x-max-tokens-applied"] == applied)
                    #expect(answer["usage.max_tokens_applied"]?.integer == Int(applied))
                    let models = try stack.asUser("GET", "/api/models", on: replica)
                    let cap = try stack.asUser("GET", "/api/limits", on: replica)["max_tokens.cap"]?.integer
                    #expect(models["data.0.max_tokens_cap"]?.integer == cap ?? 2_147_483_647)
                    #expect(models["data.0.parameters.max_tokens.maximum"]?.integer == cap ?? 2_147_483_647)
                }
            }
            try expect("50")
            try stack.operate("plan", "set", "small", "--max-tokens-cap", "20")
            try expect("50")
            try stack.operate("plan", "assign", user, "small")
            #expect(try stack.asUser("GET", "/api/me")["plan"]?.string == "small")
            try expect("20")
            try stack.operate("plan", "set", "small", "--max-tokens-cap", "30")
            try expect("30")
            try stack.operate("plan", "override", user, "--max-tokens-cap", "none", "--max-tokens-default", "7")
            try expect("50")
            try expect("7", #""temperature":1"#)
            try stack.operate("plan", "override", user, "--max-tokens-cap", "10", "--max-tokens-default", "plan")
            try expect("10")
            try stack.operate("plan", "override", user, "--clear")
            try expect("30")
            try stack.operate("plan", "assign", "load-\(user)@load.invalid".uppercased(), "default")
            try expect("50")
        }
    }

    @Test("a rate that is lowered is in force at once, and one that is lifted is told no more")
    func rates() async throws {
        try await Stack.with(replicas: 2) { stack in
            try stack.operate("plan", "override", try stack.userID(), "--requests-per-minute", "2", "--tokens-per-minute", "none")
            let answers = try (0..<3).map { try stack.completed("tokens=1", stream: false, on: stack.replicas[$0 % 2]) }
            #expect(answers.map(\.status) == [200, 200, 429])
            for answer in answers {
                #expect(answer.head["x-ratelimit-limit-requests"] == "2")
                #expect(answer.head["x-ratelimit-limit-tokens"] == nil)
                #expect(answer.head["x-ratelimit-remaining-tokens"] == nil)
            }
            let limits = try stack.asUser("GET", "/api/limits")
            #expect(limits["requests_per_minute.limit"]?.integer == 2)
            #expect(limits["requests_per_minute.remaining"]?.integer == 0)
            #expect((1...60_000).contains(limits["requests_per_minute.reset_ms"]?.integer ?? 0))
            #expect(limits["tokens_per_minute"] == nil)
            try stack.operate("plan", "override", try stack.userID(), "--requests-per-minute", "none")
            #expect(try stack.completed("tokens=1", stream: false).status == 200)
        }
    }

    @Test("a model that the plan does not have is refused, costs one request, and is in no list of models")
    func models() async throws {
        let environment = [
            "UPSTREAM_MODEL": "davinci-002", "ALLOWED_MODELS": "davinci-002,gpt-3.5-turbo-instruct,babbage-002",
            "RATE_LIMIT_REQUESTS_PER_MINUTE": "10",
            "RATE_LIMIT_TOKENS_PER_MINUTE": "1000",
        ]
        try await Stack.with(replicas: 2, environment: environment) { stack in
            func names() throws -> [String?] {
                try stack.asUser("GET", "/api/models", on: stack.replicas[1])["data"]?.array?.map { $0["id"]?.string } ?? []
            }
            #expect(try names() == ["davinci-002", "babbage-002", "gpt-3.5-turbo-instruct"])
            // `four` is the plan's, and not the servers'.
            try stack.operate("plan", "set", "default", "--models", "babbage-002,four")
            #expect(try names() == ["babbage-002"])
            #expect(try stack.asUser("GET", "/api/limits")["models"] == .array([.string("babbage-002"), .string("four")]))
            let refused = try stack.completed(
                "id=other tokens=1", on: stack.replicas[1], parameters: #""model":"gpt-3.5-turbo-instruct""#)
            #expect(refused.status == 400)
            #expect(refused.problemCode == "model_not_allowed")
            #expect(refused["param"]?.string == "model")
            #expect(refused.head["x-ratelimit-remaining-requests"] == "9")
            #expect(refused.head["x-ratelimit-remaining-tokens"] == "1000")
            #expect(
                try stack.completed("id=other tokens=1").problemCode == "model_not_allowed", "the server's own choice neither")
            #expect(try stack.completed("id=other tokens=1", parameters: #""model":"four""#).problemCode == "model_not_allowed")
            #expect(try stack.upstreamRecords("other").isEmpty)
            #expect(try stack.completed("tokens=1", parameters: #""model":"babbage-002""#).status == 200)
            try stack.operate("plan", "set", "default", "--models", "any")
            #expect(try stack.completed("tokens=1").status == 200)
            #expect(try names() == ["davinci-002", "babbage-002", "gpt-3.5-turbo-instruct"])
        }
    }

    @Test(
        "a budget is held before anything is spent, gets back what was not used, and says when it begins anew",
        arguments: [("day", "today", 86_400), ("month", "this month", 31 * 86_400)])
    func budgets(period: String, word: String, longest: Int) async throws {
        try await Stack.with(replicas: 2) { stack in
            try stack.operate("plan", "set", "default", "--tokens-per-\(period)", "1000")
            // Each may cost 900 and somewhat, and costs 100: the difference is back when it is settled.
            for replica in stack.replicas {
                let answer = try stack.completed(
                    "prompt_tokens=60 completion_tokens=40", on: replica, parameters: #""max_tokens":780"#)
                #expect(answer.status == 200)
                try stack.expectAllSettled()
            }
            let limits = try stack.asUser("GET", "/api/limits", on: stack.replicas[1])
            let budget = "tokens_per_\(period)"
            #expect(["limit", "used", "remaining"].map { limits["\(budget).\($0)"]?.integer } == [1000, 200, 800])
            let refused = try stack.completed("id=dear tokens=1", on: stack.replicas[0], parameters: #""max_tokens":800"#)
            #expect(refused.status == 429)
            #expect(refused.problemCode == "insufficient_quota")
            #expect(refused["detail"]?.string?.contains("\(word)'s budget has 800 left") == true)
            #expect(refused["retryable"]?.bool == false)
            #expect(refused.head["x-should-retry"] == "false")
            let seconds = try #require(refused.head["retry-after"].flatMap { Int($0) })
            #expect((1...longest).contains(seconds))
            let end = try #require(limits["\(budget).resets_at"]?.string)
            let reset = try Date(end, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
            // Around midnight the refusal may be of the next day: then this is off by more, once a day.
            #expect(abs(reset.timeIntervalSinceNow - Double(seconds)) < 10)
            #expect(try stack.upstreamRecords("dear").isEmpty)
            // Less is still to be had, and what never fits is told apart.
            #expect(try stack.completed("tokens=1", parameters: #""max_tokens":700"#).status == 200)
            let never = try stack.completed("tokens=1", parameters: #""max_tokens":1000"#)
            #expect(never.problemCode == "request_exceeds_plan")
            #expect(never.head["retry-after"] == nil)
            try stack.operate("plan", "override", try stack.userID(), "--tokens-per-\(period)", "none")
            #expect(try stack.completed("tokens=1", parameters: #""max_tokens":1000"#).status == 200)
            #expect(try stack.asUser("GET", "/api/limits")[budget] == nil)
        }
    }

    @Test("what a user is told is what the contract says, and nothing of anybody else")
    func contract() async throws {
        let contract = try APIContract.ofProject()
        try await Stack.with(replicas: 2, users: 2) { stack in
            let schema = try #require(contract.schema("Limits"))
            let validator = SchemaValidator(contract: contract)
            let running = try stack.complete("tokens=1000 interval=50", parameters: #""max_tokens":1000"#)
            _ = try running.readHead()
            try stack.operate("instance", "set", "--tokens-per-day", "777777")
            try stack.operate(
                "plan", "set", "default", "--models", "gpt-3.5-turbo-instruct", "--tokens-per-day", "5000", "--tokens-per-month",
                "9000")
            for (token, inFlight) in zip(stack.tokens, [1, 0]) {
                let answer = try stack.asUser("GET", "/api/limits", token: token, on: stack.replicas[1])
                #expect(answer.status == 200)
                #expect(validator.violations(of: answer.json, against: schema) == [])
                #expect(answer["streams.in_flight"]?.integer == inFlight)
                #expect((answer["tokens_per_day.used"]?.integer ?? 0 > 1000) == (inFlight == 1), "what runs is reserved")
                #expect(answer["completions_paused"]?.bool == false)
                #expect(!answer.text.contains("777777"))
            }
            running.close()
            #expect(try stack.ask("GET", "/api/limits").problemCode == "token_missing")
        }
    }

    @Test("commands refuse what makes no sense, by exit code and with a reason, and change nothing")
    func refusals() async throws {
        try await Stack.with { stack in
            try stack.operate("plan", "set", "team", "--tokens-per-day", "1")
            let user = try stack.userID()
            try stack.operate("plan", "assign", user, "team")
            let before = try stack.operate("plan", "list", "--json")
            for (arguments, status, words) in [
                (["plan", "set", "default", "--requests-per-minute", "5"], 1, "environment"),
                (["plan", "set", "Team"], 64, "name"),
                (["plan", "set", "team", "--tokens-per-minute", "0"], 64, "1 to 1000000000"),
                (["plan", "set", "team", "--tokens-per-day", "plan"], 64, "--tokens-per-day"),
                (["plan", "set", "team", "--max-tokens-cap", "many"], 64, "many"),
                (["plan", "set", "team", "--models", "a,,b"], 64, "models"),
                (["plan", "show", "none-such"], 1, "no plan none-such"),
                (["plan", "delete", "default"], 1, "default"),
                (["plan", "delete", "team"], 1, "1 users"),
                (["plan", "delete", "none-such"], 1, "no plan none-such"),
                (["plan", "assign", user, "none-such"], 1, "no plan none-such"),
                (["plan", "assign", "nobody@example.com", "team"], 1, "no user nobody@example.com"),
                (["plan", "assign", "nobody", "team"], 64, "nobody"),
                (["plan", "override", BadInputTests.id, "--tokens-per-day", "5"], 1, "no user"),
                (["instance", "set"], 64, "--tokens-per-day"),
                (["instance", "set", "--tokens-per-day", "-1"], 64, "tokens-per-day"),
                (["pause", "--reason", String(repeating: "x", count: 501)], 64, "500"),
            ] {
                let process = try ChildProcess("APIServer", arguments, environment: stack.environment)
                #expect(try process.waitForOutput() == Int32(status), "\(arguments): \(process.lines)")
                #expect(process.lines.joined(separator: "\n").contains(words), "\(arguments): \(process.lines)")
            }
            #expect(try stack.operate("plan", "list", "--json") == before)
            try stack.operate("plan", "assign", user, "default")
            try stack.operate("plan", "delete", "team")
            #expect(try stack.rows("select name from plans") == [["default"]])
        }
    }

    @Test("commands show what holds, for people and for programs; a new plan is a copy of `default`")
    func showing() async throws {
        try await Stack.with { stack in
            try stack.operate("plan", "set", "default", "--tokens-per-month", "4000")
            try stack.operate(
                "plan", "set", "school", "--requests-per-minute", "20", "--max-tokens-cap", "none", "--models", "a, b")
            let plan = try JSONValue(parsing: stack.operate("plan", "show", "school", "--json"))
            #expect(plan["requests_per_minute"]?.number?.integer == 20)
            #expect(plan["max_tokens_cap"] == .null)
            #expect(plan["tokens_per_minute"]?.number?.integer == 100_000_000, "as the environment says of `default`")
            #expect(plan["tokens_per_month"]?.number?.integer == 4000)
            #expect(plan["models"] == .array([.string("a"), .string("b")]))
            let list = try stack.operate("plan", "list").split(separator: "\n")
            #expect(list.map { $0.split(separator: " ").first } == ["plan", "default", "school"])
            let user = try stack.userID()
            let shown = try stack.operate("plan", "override", user, "--concurrent-streams", "none", "--tokens-per-day", "9")
            #expect(shown.contains(#"{"tokens_per_day": 9, "concurrent_streams": null}"#), "\(shown)")
            let limits = try JSONValue(parsing: stack.operate("plan", "override", user, "--json"))
            #expect(limits["concurrent_streams"] == .null)
            #expect(limits["overrides.tokens_per_day"]?.number?.integer == 9)
            // A server that starts says again what its environment says, and leaves the rest alone.
            try stack.startReplica(["MAX_TOKENS_CAP": "77"])
            let fresh = try JSONValue(parsing: stack.operate("plan", "show", "default", "--json"))
            #expect(fresh["max_tokens_cap"]?.number?.integer == 77)
            #expect(fresh["tokens_per_month"]?.number?.integer == 4000)
        }
    }
}

extension Stack {
    /// Runs an operator's command on the system's database; all that it printed.
    @discardableResult
    func operate(_ arguments: String...) throws -> String {
        try Self.run(arguments, environment).joined(separator: "\n")
    }

    /// The id of the user whose token this is.
    func userID(_ token: String? = nil) throws -> String {
        let answer = try asUser("GET", "/api/me", token: token)
        guard let id = answer["id"]?.string else { throw TestFailure("no id: \(answer.text)") }
        return id
    }
}
