import Foundation
import StrictJSON
import Synchronization
import TestSupport
import Testing

/// Secrets in files, replaced under running servers.
@Suite("Secrets are replaced without a restart")
struct SecretRotationTests {
    static let old = "old:b2xkLXNlc3Npb24ta2V5LW9sZC1zZXNzaW9uLWtleS0hIQ=="
    static let new = "new:bmV3LXNlc3Npb24ta2V5LW5ldy1zZXNzaW9uLWtleS0hIQ=="

    /// A user who goes on asking every replica, and renews their tokens all the time.
    private struct Visitor {
        let stack: Stack
        var access: String
        var refresh: String
        var requests = 0

        mutating func visit() throws {
            let replica = stack.replicas[requests % stack.replicas.count]
            requests += 1
            let answer = try stack.asUser("GET", "/api/models", token: access, on: replica)
            guard answer.status == 200 else { throw TestFailure("refused: \(answer.text)") }
        }

        mutating func renew() throws {
            let answer = try stack.refresh(refresh, on: stack.replicas[requests % stack.replicas.count])
            guard let access = answer["access_token"]?.string, let refresh = answer["refresh_token"]?.string else {
                throw TestFailure("not renewed: \(answer.text)")
            }
            (self.access, self.refresh) = (access, refresh)
        }
    }

    @Test("session keys: one is added, switched to, and the old one removed, on three replicas under load, and nobody is refused")
    func sessionKeys() async throws {
        try await Stack.with(replicas: 0, users: 0, environment: ["SESSION_KEYS": ""]) { stack in
            let files = try SecretFile.Way.allCases.map { try SecretFile(Self.old, $0) }
            for file in files { try stack.startReplica(["SESSION_KEYS_FILE": file.path]) }
            let account = #"{"email":"ann@example.com","password":"\#(SessionTests.password)"}"#
            _ = try stack.post("/api/auth/register", account)
            let logins = try (0..<4).map { _ in try stack.post("/api/auth/login", account) }
            let tokens = logins.map { ($0["access_token"]?.string ?? "", $0["refresh_token"]?.string ?? "") }

            /// One replica after the other hears of it, while the others still hold the ring before.
            @Sendable func announce(_ ring: String, _ ids: String) throws {
                for (file, replica) in zip(files, stack.replicas) {
                    try file.write(ring)
                    try replica.process.waitForLine(containing: #""session_keys":"\#(ids)""#)
                }
            }
            let renewals = Mutex([0, 0, 0])
            let isOver = Mutex(false)
            try concurrently(4) { index in
                if index == 3 {
                    defer { isOver.withLock { $0 = true } }
                    try announce("\(Self.old),\(Self.new)", "old, new")
                    try announce("\(Self.new),\(Self.old)", "new, old")
                    // Whoever renews from here on gets tokens of the new key.
                    let before = renewals.withLock(\.self)
                    _ = try stack.wait("everybody's new tokens") {
                        renewals.withLock { now in zip(before, now).allSatisfy { $0 + 2 <= $1 } } ? true : nil
                    }
                    for file in files { try file.write(Self.new) }
                    for replica in stack.replicas {
                        try stack.expectRefused(tokens[3].0, on: replica, code: "token_invalid", within: .seconds(5))
                    }
                    return
                }
                var visitor = Visitor(stack: stack, access: tokens[index].0, refresh: tokens[index].1)
                while !isOver.withLock(\.self) {
                    for _ in 0..<7 { try visitor.visit() }
                    try visitor.renew()
                    renewals.withLock { $0[index] += 1 }
                }
                #expect(visitor.requests > 50)
            }
            // A session that slept all the while has only its hash to show, and goes on.
            let late = try stack.refresh(tokens[3].1)
            #expect(late.status == 200)
            #expect(try stack.asUser("GET", "/api/me", token: late["access_token"]?.string).status == 200)
        }
    }

    @Test("a file that makes no sense changes nothing and is told once; SIGHUP has all files read")
    func uselessFiles() async throws {
        let garbage = "k9:Z2FyYmFnZS1nYXJiYWdl"
        try await Stack.with(replicas: 0, environment: ["DRAIN_TIMEOUT": "1"], secrets: [garbage]) { stack in
            let file = try SecretFile(Stack.sessionKeys)
            let replica = try stack.startReplica(["SESSION_KEYS": "", "SESSION_KEYS_FILE": file.path])
            let complaint = "a secret file is of no use"
            func complaints() -> Int { replica.process.lines.count { $0.contains(complaint) } }
            try file.write(garbage)
            try replica.process.waitForLine(containing: complaint)
            #expect(try stack.asUser("GET", "/api/me").status == 200)
            try file.remove()
            _ = try stack.wait("the second complaint") { complaints() == 2 ? true : nil }
            #expect(try stack.asUser("GET", "/api/me").status == 200)
            replica.process.signal(SIGHUP)
            _ = try stack.wait("the complaint about what was asked for") { complaints() == 3 ? true : nil }
            try file.write("\(Self.new),\(Stack.sessionKeys)")
            replica.process.signal(SIGHUP)
            try replica.process.waitForLine(containing: #""session_keys":"new, test""#)
            #expect(complaints() == 3)
            #expect(try stack.asUser("GET", "/api/me").status == 200)
            #expect(try replica.process.terminate() == 0, "SIGHUP has ended nothing")
        }
    }

    @Test("the upstream's key: what is asked next is asked with the new one")
    func upstreamKey() async throws {
        let wrong = "sk-this-key-is-of-no-use-0123456789"
        try await Stack.with(replicas: 0, secrets: [wrong]) { stack in
            let file = try SecretFile(wrong)
            let replica = try stack.startReplica(["UPSTREAM_API_KEY": "", "UPSTREAM_API_KEY_FILE": file.path])
            #expect(try stack.completed("id=wrong").status == 502)
            try file.write(Stack.upstreamKey)
            try replica.process.waitForLine(containing: "secrets replaced")
            // Each loop is told for itself, and a connection belongs to any of them.
            _ = try stack.wait("an answer") { try stack.completed("id=right").status == 200 ? true : nil }
            #expect(try stack.upstreamRecords("right").last?["authorization"]?.string == "ok")
            try stack.expect(
                "select count(*) from audit_events where kind = 'secret_rotated' and detail like '%read anew: \(file.path)'",
                becomes: "1")
            try stack.expectAllSettled()
        }
    }

    @Test("`keygen` prints a key that a server starts with, another one each time")
    func keygen() async throws {
        try await Stack.with(replicas: 0, users: 0) { stack in
            let keys = try (0..<2).map { _ in try Stack.run(["keygen"], ["PATH": "/usr/bin:/bin"]).filter { !$0.isEmpty } }
            #expect(keys.allSatisfy { $0.count == 1 } && keys[0] != keys[1])
            let text = keys.joined().joined(separator: ",")
            #expect(text.contains(/^k[0-9]{8}-[0-9a-f]{8}:[A-Za-z0-9+\/]{43},k/))
            try stack.startReplica(["SESSION_KEYS": text])
        }
    }
}
