import EventLoop
import Postgres
import TestSupport
import Testing

@Suite
struct PostgresListenerTests {
    @Test("notifications reach who subscribed to their channel; after a loss everybody is told that it listens again")
    func listen() async throws {
        let server = try PostgresServer.shared()
        let conninfo = try server.freshDatabase()
        try await withLoop { loop in
            let heard = Heard()
            let subscriptions = ["one", "Two \"2\""].map { channel in
                PostgresListener.Subscription(
                    channel: channel, onConnected: { heard.connections[channel, default: 0] += 1 },
                    onNotification: { heard.notifications.append("\(channel): \($0)") })
            }
            let listener = PostgresListener(
                configuration: try PostgresConfiguration(conninfo), subscriptions: subscriptions, io: loop.io, logger: .silent)
            #expect(await loop.io.wait { heard.connections.values.sorted() == [1, 1] })
            try server.run("notify one, 'a'; notify \"Two \"\"2\"\"\", 'b'; notify other, 'c'", in: conninfo)
            #expect(await loop.io.wait { heard.notifications.count == 2 })
            #expect(heard.notifications == ["one: a", "Two \"2\": b"])

            try server.run(
                """
                select pg_terminate_backend(pid) from pg_stat_activity
                where query like 'listen%' and datname = current_database()
                """,
                in: conninfo)
            #expect(await loop.io.wait { heard.connections.values.sorted() == [2, 2] })
            #expect(listener.isListening)
            try server.run("notify one, 'd'", in: conninfo)
            #expect(await loop.io.wait { heard.notifications.last == "one: d" })
            listener.close()
            #expect(!listener.isListening)
        }
    }

    /// What the callbacks said.
    private final class Heard {
        var connections: [String: Int] = [:]
        var notifications: [String] = []
    }
}
