import Foundation
import StrictJSON
import TestSupport
import Testing

/// Every operation of the contract that names a thing by its id, asked by everybody whom it does not belong to, and by its owner.
/// A new one is here by itself, and fails until it says how to make what it names.
@Suite("Who may do what to whose things")
struct AccessMatrixTests {
    /// Makes a thing of the first user; its id.
    private typealias Fixture = @Sendable (Stack, Guests) throws -> String

    private static let fixtures: [String: Fixture] = [
        "/api/presets/{id}": { stack, _ in try stack.preset() },
        "/api/keys/{id}": { stack, _ in try stack.key(["presets"]).id },
        "/api/sessions/{id}": { stack, _ in "\(try stack.session().id)" },
        "/api/complete/{id}": { stack, _ in
            let id = "0190b5a0-0000-7000-8000-0000000000e0"
            _ = try stack.completed("tokens=1", id: id)
            try stack.expectAllSettled()
            return id
        },
        "/api/complete/{id}/stop": { stack, guests in
            let id = "0190b5a0-0000-7000-8000-0000000000e1"
            let stream = try stack.complete("tokens=100000 interval=20", id: id, parameters: #""max_tokens":20000"#)
            _ = try stream.readHead()
            guests.streams.append(stream)
            return id
        },
    ]

    /// Whoever asks, and what has to stay open meanwhile.
    private final class Guests {
        var streams: [RawClient] = []
    }

    private static let missing = "0190b5a0-0000-7000-8000-00000000dead"

    @Test("an id-bearing route is for its owner alone: strangers are told as if there were nothing, and nobody else writes a row")
    func matrix() async throws {
        let contract = try APIContract.ofProject()
        let operations = contract.operations.filter { $0.path.contains("{") && !$0.isOpenToAll }
        #expect(operations.count >= 8, "the contract has lost its routes")
        try await Stack.with(users: 2) { stack in
            for operation in operations {
                guard let fixture = Self.fixtures[operation.path] else {
                    Issue.record("\(operation): say in `fixtures` how to make what it names")
                    continue
                }
                try Self.check(operation, contract, stack, fixture)
            }
        }
    }

    private static func check(
        _ operation: APIContract.Operation, _ contract: APIContract, _ stack: Stack, _ fixture: Fixture
    ) throws {
        let guests = Guests()
        defer { for stream in guests.streams { stream.reset() } }
        let id = try fixture(stack, guests)
        let body = contract.exampleBody(operation)
        let all = ["complete", "presets", "usage:read"]
        let scope = operation.members["x-api-key-scope"]?.string
        let revokedSession = try stack.session()
        _ = try stack.ask("POST", "/api/auth/logout", ["Authorization": "Bearer \(revokedSession.accessToken)"])
        let revokedKey = try stack.key(all)
        #expect(try stack.asUser("DELETE", "/api/keys/\(revokedKey.id)").status == 204)
        let narrowKey = try stack.key(scope == nil ? all : all.filter { $0 != scope })
        let foreignKey = try stack.key(all, token: stack.tokens[1])

        func ask(_ id: String, _ token: String?) throws -> RawClient.Response {
            var fields = stack.fields(token)
            if token == nil { fields["Authorization"] = nil }
            return try stack.ask(operation.method, operation.path.replacing("{id}", with: id), fields, body: body)
        }
        let before = try stack.snapshot()
        for (who, token, status, code) in [
            ("anonymous", nil, 401, "token_missing"), ("a revoked session", revokedSession.accessToken, 401, "session_revoked"),
            ("a revoked key", revokedKey.text, 401, "token_invalid"),
            ("a key without the scope", narrowKey.text, 403, "insufficient_scope"),
        ] {
            let answers = try [id, missing].map { try ask($0, token) }
            for answer in answers {
                #expect(answer.status == status && answer.problemCode == code, "\(operation) by \(who): \(answer.text)")
            }
            #expect(answers[0].comparable == answers[1].comparable, "\(operation) by \(who)")
        }
        var strangers = [("another user", stack.tokens[1])]
        if scope != nil { strangers.append(("another user's key", foreignKey.text)) }
        for (who, token) in strangers {
            let answers = try [id, missing].map { try ask($0, token) }
            #expect(
                answers[0].status == 404 && answers[0].problemCode == "not_found", "\(operation) by \(who): \(answers[0].text)")
            #expect(answers[0].comparable == answers[1].comparable, "\(operation) by \(who)")
        }
        #expect(try stack.snapshot() == before, "\(operation) by strangers wrote something")
        let own = try ask(id, stack.token)
        #expect((200..<300).contains(own.status), "\(operation) by the owner: \(own.text)")
    }
}

extension APIContract.Operation {
    fileprivate var isOpenToAll: Bool {
        guard let security = members["security"]?.array else { return false }
        return security.isEmpty || security.contains { $0.object?.isEmpty == true }
    }
}

extension APIContract {
    /// The first example of what an operation's body may be; nil where it has none.
    fileprivate func exampleBody(_ operation: Operation) -> String? {
        let request = resolved(operation.members["requestBody"])?.object
        let examples = request?["content"]?.object?["application/json"]?.object?["examples"]?.object
        guard var body = resolved(examples?.members.first?.value)?.object?["value"]?.object else { return nil }
        // What was made has only one version.
        if ["PUT", "PATCH"].contains(operation.method) { body["version"] = .number(JSONNumber(1)) }
        return JSONValue.object(body).jsonText
    }
}

extension RawClient.Response {
    /// Everything that may not differ between what is somebody else's and what there is not.
    fileprivate var comparable: [String] {
        let fields = head.fields.filter { !["x-request-id", "date"].contains($0.name.lowercased()) }
        return ["\(status)", withoutRequestID] + fields.map { "\($0.name): \($0.value)" }
    }
}

extension Stack {
    /// All rows of all tables, but for what changes by itself.
    fileprivate func snapshot() throws -> [String] {
        let own = ["processes", "audit_events", "schema_migrations"]
        let tables = try rows(
            """
            select format('%I', c.relname) from pg_class c
            where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition order by 1
            """
        ).compactMap(\.[0]).filter { !own.contains($0) }
        let beside = "'{last_used_at,prompt_tokens,completion_tokens,heard_at}'::text[]"
        return try rows(
            tables.map { "select '\($0) ' || (to_jsonb(t) - \(beside))::text from \($0) t" }.joined(separator: " union all ")
        )
        .compactMap(\.[0]).sorted()
    }
}
