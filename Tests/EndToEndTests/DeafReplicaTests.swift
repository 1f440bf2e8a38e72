import Glibc
import PlaygroundCore
import StrictJSON
import TestSupport
import Testing

/// Revocation on replicas that do not hear of it when it happens.
@Suite("A session that was ended is over on every replica within a second, and its streams within five")
struct DeafReplicaTests {
    /// What becomes of the connections over which replicas listen.
    enum Deafness: CaseIterable {
        case none
        /// Their servers' processes stand still: connected, and deaf.
        case stopped
        /// They are cut at that moment, and come back.
        case cut
        /// Nobody says anything: the row is changed by a hand that sends no notification.
        case unspoken
    }

    @Test("also where the listening connections stand still, are cut, or nothing was said", arguments: Deafness.allCases)
    func revocation(deafness: Deafness) async throws {
        try await Stack.with(replicas: 3) { stack in
            let sessions = try (0..<4).map { _ in try stack.session() }
            let other = try stack.session()
            let running = try stack.replicas.map { replica in
                let client = try stack.complete(
                    "id=ended tokens=2000 interval=20", on: replica, token: sessions[0].accessToken,
                    parameters: #""max_tokens":4000"#)
                _ = try client.readHead()
                return client
            }
            let spared = try stack.complete(
                "tokens=100 interval=20", token: other.accessToken, parameters: #""max_tokens":2000"#)
            _ = try spared.readHead()

            let listening = "from pg_stat_activity where datname = current_database() and query ilike 'listen %'"
            let backends = try stack.rows("select pid \(listening)").compactMap { $0[0].flatMap { pid_t($0) } }
            #expect(backends.count == 3)
            if deafness == .stopped { for backend in backends { #expect(kill(backend, SIGSTOP) == 0) } }
            defer { if deafness == .stopped { for backend in backends { kill(backend, SIGCONT) } } }

            for (index, session) in sessions.enumerated() {
                if deafness == .cut { _ = try stack.rows("select pg_terminate_backend(pid) \(listening)") }
                let begun = ContinuousClock.now
                if deafness == .unspoken {
                    _ = try stack.rows("update sessions set revoked_at = now() where id = '\(session.id)' returning id")
                } else {
                    let ended = try stack.ask(
                        "POST", "/api/auth/logout", ["Authorization": "Bearer \(session.accessToken)"],
                        on: stack.replicas[index % 3])
                    #expect(ended.status == 204)
                }
                for replica in stack.replicas {
                    let left = Duration.seconds(1) - (ContinuousClock.now - begun)
                    try stack.expectRefused(session.accessToken, on: replica, code: "session_revoked", within: left)
                }
                guard index == 0 else { continue }
                for client in running {
                    let last = try #require(try client.readEvents().last)
                    #expect(last.event == "error")
                    #expect(try JSONValue(parsing: last.data ?? "")["code"]?.string == "session_revoked")
                }
                #expect(ContinuousClock.now - begun < .seconds(5))
            }
            for replica in stack.replicas {
                #expect(try stack.asUser("GET", "/api/models", token: other.accessToken, on: replica).status == 200)
            }
            #expect(try spared.readEvents().last?.data == "[DONE]")
            try stack.expectAllSettled()
        }
    }
}
