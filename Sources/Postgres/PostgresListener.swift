package import EventLoop
package import Logging
import PlaygroundCore

/// Listens for notifications (LISTEN) on a connection of its own, one for all who subscribe, and comes back after a loss.
///
/// What was notified while the connection was away is lost: who subscribes reads the state itself again in `onConnected`, or finds
/// it out in another way.
package final class PostgresListener: PostgresConnectionOwner {
    /// What one part of the program wants to hear of.
    package struct Subscription {
        let channel: String
        let onConnected: () -> Void
        let onNotification: (_ payload: String) -> Void

        /// - Parameters:
        ///   - channel: no two subscriptions of a listener may have the same.
        ///   - onConnected: called on the loop each time that all channels are listened to.
        ///   - onNotification: called on the loop for each notification.
        package init(
            channel: String, onConnected: @escaping () -> Void = {}, onNotification: @escaping (_ payload: String) -> Void
        ) {
            self.channel = channel
            self.onConnected = onConnected
            self.onNotification = onNotification
        }
    }

    private var configuration: PostgresConfiguration
    private let subscriptions: [Subscription]
    private let statements: [PostgresStatement]
    private let io: LoopIO
    private let logger: Logger
    private let random: () -> Double
    private var connection: PostgresConnection?
    private var backoff = Backoff()
    private var host = 0
    private var reconnect: LoopTimer?
    private var isClosed = false
    /// Whether every notification committed from now on will be heard.
    package private(set) var isListening = false

    /// Starts to connect.
    package init(
        configuration: PostgresConfiguration, subscriptions: [Subscription], io: LoopIO, logger: Logger,
        random: @escaping () -> Double = { Double.random(in: 0..<1) }
    ) {
        self.configuration = configuration
        self.subscriptions = subscriptions
        statements = subscriptions.map { subscription in
            let quoted = "\"" + subscription.channel.replacing("\"", with: "\"\"") + "\""
            return PostgresStatement(name: "listen \(subscription.channel)", sql: "listen \(quoted)", effect: .read)
        }
        self.io = io
        self.logger = logger
        self.random = random
        reconnect = LoopTimer { [unowned self] in open() }
        open()
    }

    deinit {
        if let reconnect { io.cancel(reconnect) }
    }

    /// The next connection goes where this says; the one that is open stays.
    package func use(_ configuration: PostgresConfiguration) { self.configuration = configuration }

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
        for subscription in subscriptions { subscription.onConnected() }
    }

    func connectionProgressed(_ connection: PostgresConnection) {}

    func connectionOutdated(_ connection: PostgresConnection) {}

    func notificationReceived(channel: String, payload: String) {
        subscriptions.first { $0.channel == channel }?.onNotification(payload)
    }

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
