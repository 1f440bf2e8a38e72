package import EventLoop

/// What the relays of one loop share. Not Sendable: it belongs to its loop.
package final class CompletionUpstream {
    /// When heartbeats and heads go out.
    package let timing: RelayTiming
    /// The completions that are running.
    package let openRelays = RelayRegistry()
    let description: UpstreamDescription
    let transport: any UpstreamTransport
    let io: LoopIO
    let heartbeatMilliseconds: Int64

    package init(
        description: UpstreamDescription = UpstreamDescription(), transport: any UpstreamTransport, timing: RelayTiming, io: LoopIO
    ) {
        self.description = description
        self.transport = transport
        self.timing = timing
        self.io = io
        heartbeatMilliseconds = timing.heartbeat.wholeMilliseconds
    }
}

/// When a stream begins and how it keeps its connection alive.
package struct RelayTiming: Sendable {
    /// A comment is sent after this much silence towards the client.
    package var heartbeat: Duration
    /// The answer begins this long after the request came, whatever the upstream does.
    package var commitAfter: Duration
    /// The answer begins this long after the upstream's 200, output or not.
    package var holdAfterHead: Duration
    /// How long the upstream may take to end its body after it has said that it is done: then the connection can be
    /// used again. The client does not wait for it.
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
