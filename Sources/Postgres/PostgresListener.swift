package import EventLoop
package import Logging
import PlaygroundCore

/// Listens for notifications (LISTEN) on a connection of its own, and comes back after a loss.
///
/// What was notified while the connection was away is lost: whoever listens reads the state itself again in `onConnected`.
package final class PostgresListener: PostgresConnectionOwner {
    private let configuration: PostgresConfiguration
    private let statements: [PostgresStatement]
    private let io: LoopIO
    private let logger: Logger
    private let random: () -> Double
    private let onConnected: () -> Void
    private let onNotification: (_ channel: String, _ payload: String) -> Void
    private var connection: PostgresConnection?
    private var backoff = Backoff()
    private var host = 0
    private var reconnect: LoopTimer?
    private var isClosed = false
    /// Whether every notification committed from now on will be heard.
    package private(set) var isListening = false

    /// Starts to connect.
    /// - Parameters:
    ///   - onConnected: called on the loop each time that all channels are listened to.
    ///   - onNotification: called on the loop for each notification.
    package init(
        configuration: PostgresConfiguration, channels: [String], io: LoopIO, logger: Logger,
        random: @escaping () -> Double = { Double.random(in: 0..<1) },
        onConnected: @escaping () -> Void, onNotification: @escaping (_ channel: String, _ payload: String) -> Void
    ) {
        self.configuration = configuration
        statements = channels.map { channel in
            let quoted = "\"" + channel.replacing("\"", with: "\"\"") + "\""
            return PostgresStatement(name: "listen \(channel)", sql: "listen \(quoted)", effect: .read)
        }
        self.io = io
        self.logger = logger
        self.random = random
        self.onConnected = onConnected
        self.onNotification = onNotification
        reconnect = LoopTimer { [unowned self] in open() }
        open()
    }

    deinit {
        if let reconnect { io.cancel(reconnect) }
    }

    /// Closes the connection; no callback follows.
    package func close() {
        isClosed = true
        isListening = false
        if let reconnect { io.cancel(reconnect) }
        connection?.close()
    }

    private func open() {
        let connection = PostgresConnection(configuration, host: host, io: io, logger: logger, owner: self)
        self.connection = connection
        connection.open()
    }

    func connectionReady(_ connection: PostgresConnection) {
        guard let empty = try? ParameterBuffer([]) else { return connection.close() }
        let steps = statements.map { PostgresCall.Step(statement: $0, values: empty) }
        connection.send(
            PostgresCall(steps, deadline: io.now + 5_000, io: io) { [weak self, weak connection] outcome in
                guard let self, let connection, connection === self.connection else { return }
                switch outcome {
                case .success: listening()
                case .failure: connection.close()
                }
            })
    }

    private func listening() {
        backoff.succeeded()
        isListening = true
        onConnected()
    }

    func connectionProgressed(_ connection: PostgresConnection) {}

    func connectionOutdated(_ connection: PostgresConnection) {}

    func notificationReceived(channel: String, payload: String) { onNotification(channel, payload) }

    func connectionClosed(_ connection: PostgresConnection, _ reason: PostgresError) {
        self.connection = nil
        isListening = false
        if isClosed { return }
        if backoff.failures == 0 { logger.warning("lost the listening connection", metadata: ["reason": "\(reason)"]) }
        host += 1
        let delay = host % configuration.hostCount == 0 ? backoff.delay(random: random()) : .zero
        backoff.failed()
        if let reconnect { io.schedule(reconnect, after: delay) }
    }
}
