import EventLoop
import Postgres
import TestSupport
import Testing

@Suite
struct PostgresListenerTests {
    @Test("notifications arrive, and after a loss the owner is told that it listens again")
    func listen() async throws {
        let server = try PostgresServer.shared()
        let conninfo = try server.freshDatabase()
        try await withLoop { loop in
            let heard = Heard()
            let listener = PostgresListener(
                configuration: try PostgresConfiguration(conninfo), channels: ["one", "Two \"2\""], io: loop.io, logger: .silent,
                onConnected: { heard.connections += 1 }, onNotification: { heard.notifications.append("\($0): \($1)") })
            #expect(await loop.io.wait { heard.connections == 1 })
            try server.run("notify one, 'a'; notify \"Two \"\"2\"\"\", 'b'; notify other, 'c'", in: conninfo)
            #expect(await loop.io.wait { heard.notifications.count == 2 })
            #expect(heard.notifications == ["one: a", "Two \"2\": b"])

            try server.run(
                """
                select pg_terminate_backend(pid) from pg_stat_activity
                where query like 'listen%' and datname = current_database()
                """,
                in: conninfo)
            #expect(await loop.io.wait { heard.connections == 2 })
            #expect(listener.isListening)
            try server.run("notify one, 'd'", in: conninfo)
            #expect(await loop.io.wait { heard.notifications.last == "one: d" })
            listener.close()
            #expect(!listener.isListening)
        }
    }

    /// What the callbacks said.
    private final class Heard {
        var connections = 0
        var notifications: [String] = []
    }
}
