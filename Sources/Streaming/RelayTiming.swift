/// When a stream begins and how it keeps its connection alive.
package struct RelayTiming: Sendable {
    /// A comment is sent after this much silence towards the client.
    package var heartbeat: Duration
    /// The answer begins this long after the request came, whatever the upstream does. Until an eighth of it is left,
    /// upstreams may be asked again.
    package var commitAfter: Duration
    /// The answer begins this long after the upstream's 200, output or not.
    package var holdAfterHead: Duration
    /// How long the upstream may take to end its body after it has said that it is done, or to say why it refuses:
    /// then the connection can be used again. The client does not wait for the former.
    package var lingering: Duration

    package init(
        heartbeat: Duration = .seconds(5), commitAfter: Duration = .seconds(8), holdAfterHead: Duration = .seconds(5),
        lingering: Duration = .seconds(1)
    ) {
        self.heartbeat = heartbeat
        self.commitAfter = commitAfter
        self.holdAfterHead = holdAfterHead
        self.lingering = lingering
    }
}
