import Foundation
import StrictJSON
import TestSupport
import Testing

/// The bill from the upstream's own record to what users and operators are told.
@Suite("Usage and its price")
struct UsageTests {
    private static func command(_ stack: Stack, _ arguments: String...) throws -> [String] {
        try Stack.run(arguments, stack.environment).filter { !$0.isEmpty }
    }

    private static func report(_ stack: Stack, _ query: String = "", user: Int = 0) throws -> JSONValue {
        let answer = try stack.asUser("GET", "/api/usage\(query)", token: stack.tokens[user])
        #expect(answer.status == 200)
        let contract = try APIContract.ofProject()
        let type = answer.head["content-type"]
        #expect(contract.violations("GET", "/api/usage", status: answer.status, contentType: type, body: answer.body) == [])
        return answer.json
    }

    @Test("is the upstream's own count, by day, model and preset; nobody sees somebody else's")
    func report() async throws {
        try await Stack.with(replicas: 2, users: 2) { stack in
            let preset = try stack.preset()
            for index in 0..<3 {
                _ = try stack.completed("id=plain tokens=\(5 + index) prompt_tokens=11", on: stack.replicas[index % 2])
            }
            _ = try stack.completed("id=plain error_after=4")
            _ = try stack.completed(
                "id=preset tokens=6 prompt_tokens=9 cached_tokens=8 reasoning_tokens=2", stream: false,
                parameters: #""preset_id":"\#(preset)","max_tokens":50"#)
            _ = try stack.completed("tokens=40", token: stack.tokens[1])
            try stack.expectAllSettled()

            let report = try Self.report(stack)
            let rows = try #require(report["data"]?.array)
            #expect(rows.count == 2 && report["next_cursor"] == .null)
            let (plain, kept) = (rows[0], rows[1])
            let sent = { id in try stack.upstreamRecords(id).compactMap { $0["tokens_sent"]?.number?.integer }.reduce(0, +) }
            let billed = try sent("plain")
            #expect(billed == 5 + 6 + 7 + 4)
            #expect(plain["completion_tokens"]?.integer == Int(billed))
            #expect(plain["preset_id"] == nil && kept["preset_id"]?.string == preset)
            #expect(kept["requests"]?.integer == 1 && kept["prompt_tokens"]?.integer == 9)
            #expect(kept["completion_tokens"]?.integer == Int(try sent("preset")))
            #expect(kept["cached_tokens"]?.integer == 8 && kept["reasoning_tokens"]?.integer == 2)
            #expect(kept["cost"] == nil && report["totals.cost"] == nil)
            for name in ["requests", "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens"] {
                let sum = rows.compactMap { $0[name]?.integer }.reduce(0, +)
                #expect(report["totals.\(name)"]?.integer == sum, "\(name)")
            }
            let day = try stack.row("select utc_day(min(started_at))::text from usage")[0]
            #expect(plain["date"]?.string == day && report["to"]?.string == day)
            #expect(try Self.report(stack, user: 1)["totals.completion_tokens"]?.integer == 40)

            // Nothing of what was asked or answered is kept.
            let bills = try stack.rows("select t::text from usage t").joined().compactMap(\.self).joined(separator: "\n")
            for word in [Stack.promptMark, "Once", "k0", "tokens=", "id="] { #expect(!bills.contains(word), "\(word)") }
        }
    }

    @Test("comes in pages with the totals on each; what is no date, limit or cursor is refused by name")
    func pages() async throws {
        try await Stack.with(environment: ["ALLOWED_MODELS": "*"]) { stack in
            for model in ["babbage-002", "davinci-002", "gpt-3.5-turbo-instruct"] {
                _ = try stack.completed("tokens=2", parameters: #""model":"\#(model)""#)
            }
            try stack.expectAllSettled()
            let whole = try Self.report(stack)
            let models = try #require(whole["data"]?.array).map { $0["model"]?.string }
            #expect(models.count == 3)
            var (found, query): ([String?], String?) = ([], "?limit=2")
            while let next = query {
                let page = try Self.report(stack, next)
                found += (page["data"]?.array ?? []).map { $0["model"]?.string }
                #expect(page["totals"] == whole["totals"])
                query = page["next_cursor"]?.string.map { "?limit=2&cursor=\($0)" }
            }
            #expect(found == models)
            for (query, params) in [
                ("from=x", ["from"]), ("to=2026-02-30", ["to"]), ("from=2020-01-01&to=2026-01-01", ["to"]),
                ("limit=0", ["limit"]), ("from=2026-13-01&limit=0&to=x", ["from", "to", "limit"]),
            ] {
                let answer = try stack.asUser("GET", "/api/usage?\(query)")
                #expect(answer.status == 400 && answer.problemCode == "invalid_request")
                #expect(answer["errors"]?.array?.map { $0["param"]?.string } == params)
            }
            #expect(try stack.asUser("GET", "/api/usage?cursor=x").problemCode == "invalid_cursor")
            for (path, params) in [
                ("/api/usage?form=2026-01-01&to=2026-01-02", ["form"]), ("/api/presets?limit=1&%22=2", ["\""]),
            ] {
                let answer = try stack.asUser("GET", path)
                #expect(answer.status == 400 && answer.problemCode == "unknown_parameter")
                #expect(answer["errors"]?.array?.map { $0["param"]?.string } == params)
            }
            #expect(try stack.ask("GET", "/api/usage").status == 401)
        }
    }

    @Test("a price that changes in mid-stream does not alter the bill of what was admitted before, nor any that is written")
    func frozen() async throws {
        try await Stack.with { stack in
            let ids = (0..<3).map { "0190b5a0-0000-7000-8000-00000000009\($0)" }
            _ = try stack.completed("tokens=1 prompt_tokens=1", id: ids[0])
            try stack.expectAllSettled()
            let price = ["price", "set", "--model", "gpt-3.5-turbo-instruct"]
            _ = try Stack.run(price + ["--prompt", "0.000001", "--completion", "2", "--cached", "0"], stack.environment)
            let running = try stack.complete(
                "id=runs tokens=10 interval=40 prompt_tokens=7 cached_tokens=4 reasoning_tokens=1", id: ids[1])
            _ = try running.readHead()
            _ = try running.readEvent()
            #expect(try stack.status(ids[1])["cost"] == nil)
            _ = try Stack.run(price + ["--prompt", "1000", "--completion", "1000"], stack.environment)
            _ = try Stack.run(
                price + ["--prompt", "9", "--completion", "9", "--from", "2020-01-01T00:00:00Z"], stack.environment)
            let frames = try running.readEvents().compactMap(\.data)
            let last = try JSONValue(parsing: try #require(frames.dropLast().last))
            #expect(last["usage.cached_tokens"]?.integer == 4 && last["usage.reasoning_tokens"]?.integer == 1)
            _ = try stack.completed("tokens=3 prompt_tokens=2", id: ids[2])
            try stack.expectAllSettled()
            // 3 of the prompt at 0.000001, 4 cached for nothing, 10 of the completion at 2, for a million each.
            #expect(try stack.status(ids[1])["cost"]?.string == "0.000020000003")
            #expect(try stack.status(ids[2])["cost"]?.string == "0.005")
            #expect(try stack.status(ids[0])["cost"] == nil)
            let report = try Self.report(stack)
            #expect(report["totals.cost"]?.string == "0.005020000003" && report["data.0.cost"]?.string == "0.005020000003")
            #expect(report["totals.requests"]?.integer == 3)
            #expect(try Self.command(stack, "price", "list").filter { $0.hasSuffix("*") }.map { $0.contains(" 1000 ") } == [true])
            let listed = try JSONValue(parsing: Self.command(stack, "price", "list", "--json").joined())
            #expect(listed.array?.count == 3 && listed["0.prompt"]?.string == "9" && listed["2.in_force"] == .bool(true))
        }
    }

    @Test("all users' is the operator's, also after an account is gone")
    func operators() async throws {
        try await Stack.with(users: 2, environment: ["USAGE_RETENTION_MONTHS": "6"]) { stack in
            for token in stack.tokens { _ = try stack.completed("tokens=3 prompt_tokens=2", token: token) }
            try stack.expectAllSettled()
            let users = try stack.rows("select id, email from users order by id")
            _ = try stack.rows("delete from users where id = '\(users[1][0] ?? "")'")
            let lines = try Self.command(stack, "usage", "--by", "user", "--csv").map { $0.trimmingCharacters(in: .newlines) }
            #expect(lines.first == "user_id,email,requests,prompt_tokens,completion_tokens,cached_tokens,reasoning_tokens,cost")
            let expected = [(users[0][0] ?? "", users[0][1] ?? ""), (users[1][0] ?? "", "")]
            #expect(lines.dropFirst() == expected.map { "\($0),\($1),1,2,3,0,0," }[...])
            #expect(try Self.command(stack, "usage", "--by", "day").count == 2)
            for options in [["--from", "yesterday"], ["--from", "2026-01-02", "--to", "2026-01-01"], ["--by", "week"]] {
                let process = try ChildProcess("APIServer", ["usage"] + options, environment: stack.environment)
                #expect(try process.waitForOutput() == EX_USAGE, "\(process.lines)")
                let complaint = options == ["--by", "week"] ? "week" : "has to be"
                #expect(process.lines.contains { $0.contains(complaint) }, "\(process.lines)")
            }
        }
    }

    @Test("is kept by the server in months: those to come are there, those beyond the retention go")
    func months() async throws {
        try await Stack.with(replicas: 0) { stack in
            _ = try stack.rows("select make_usage_month((utc_month(now()) - interval '5 months')::date)")
            _ = try stack.rows(
                """
                do $$ begin
                    execute (select 'drop table ' || max(relname) from pg_class where relname ~ '^usage_2.*[0-9]$');
                end $$
                """
            )
            let parts = "select count(*) from pg_inherits where inhparent = 'usage'::regclass"
            try stack.expect(parts, becomes: "5")
            try stack.startReplica()
            try stack.expect(parts, becomes: "6")
            try stack.startReplica(["USAGE_RETENTION_MONTHS": "3"])
            try stack.expect(parts, becomes: "5")
        }
    }
}
