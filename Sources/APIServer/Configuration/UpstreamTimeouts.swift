import HTTPClient
import PlaygroundCore
import Streaming

/// How long an upstream may take over each part of a completion.
struct UpstreamTimeouts: Sendable, Equatable {
    /// Waiting in line, name look-up, connect and TLS handshake together.
    var connect = Duration.seconds(5)
    /// From the request being sent to the first byte of the answer.
    var firstByte = Duration.seconds(60)
    /// From the request being sent to the first text.
    var firstToken = Duration.seconds(60)
    /// Between two events of a stream.
    var silence = Duration.seconds(60)
    /// The whole completion.
    var total = Duration.seconds(600)

    /// What may be configured, in seconds.
    enum Limits {
        static let connect = 0.05...300.0
        static let part = 0.05...3_600.0
        static let total = 0.05...86_400.0
    }

    init() {}

    init(_ environment: inout Environment) {
        connect = environment.seconds("UPSTREAM_CONNECT_TIMEOUT", connect, in: Limits.connect)
        firstByte = environment.seconds("UPSTREAM_FIRST_BYTE_TIMEOUT", firstByte, in: Limits.part)
        firstToken = environment.seconds("UPSTREAM_FIRST_TOKEN_TIMEOUT", firstToken, in: Limits.part)
        silence = environment.seconds("UPSTREAM_SILENCE_TIMEOUT", silence, in: Limits.part)
        total = environment.seconds("UPSTREAM_TOTAL_TIMEOUT", total, in: Limits.total)
    }

    /// The longer one of each: what a client has to be prepared for that does not know which upstream answers it.
    func longest(_ other: UpstreamTimeouts) -> UpstreamTimeouts {
        var longest = self
        longest.connect = max(connect, other.connect)
        longest.firstByte = max(firstByte, other.firstByte)
        longest.firstToken = max(firstToken, other.firstToken)
        longest.silence = max(silence, other.silence)
        longest.total = max(total, other.total)
        return longest
    }
}

extension Configuration.Upstream {
    init(
        _ description: UpstreamDescription, origin: Origin, key: Secret?, headers: [(name: String, value: String)] = [],
        allowing timeouts: UpstreamTimeouts
    ) {
        self.description = description
        self.description.firstTokenTimeout = timeouts.firstToken
        self.description.silenceTimeout = timeouts.silence
        self.description.totalTimeout = timeouts.total
        self.origin = origin
        self.key = key
        self.headers = headers
        self.timeouts = ExchangeTimeouts(connect: timeouts.connect, firstByte: timeouts.firstByte)
    }

    /// What it was configured with, for those who ask.
    var allowedTimes: UpstreamTimeouts {
        var times = UpstreamTimeouts()
        times.connect = timeouts.connect
        times.firstByte = timeouts.firstByte
        times.firstToken = description.firstTokenTimeout
        times.silence = description.silenceTimeout
        times.total = description.totalTimeout
        return times
    }
}
