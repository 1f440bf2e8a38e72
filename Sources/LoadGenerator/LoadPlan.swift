/// What is to be sent, where to, and how often.
struct LoadPlan: Sendable {
    /// Where to; rotated over the connections.
    var targets: [Target]
    var dialect: Dialect
    var method: String
    /// Rotated over the connections, as are the tokens.
    var paths: [String]
    var tokens: [String]
    var headers: [String]
    /// The body of a plain request.
    var body: String?
    var directives: String
    var model: String
    /// Streams at once.
    var concurrency: Int
    /// Streams in all; nil until the time is up.
    var total: Int?
    /// No stream is begun later than this many seconds after the start.
    var seconds: Double?
    /// Streams begun in a second, however long the others take; nil: a connection begins the next one when it has ended one.
    var rate: Double?
    /// Seconds over which the connections' starts are spread.
    var ramp: Double
    /// Seconds that one stream may take.
    var timeout: Double
    /// Tokens after which the connection is closed.
    var drop: Int?
    /// Seconds for which all streams are kept open after each has its first token; then they are closed.
    var hold: Double?
    var status: Int
    var pid: Int?
    /// Tells one run's streams from another's.
    var runID: String

    /// Tokens a stream has to bring.
    var expectedTokens: Int? {
        for word in directives.split(separator: " ") where word.hasPrefix("tokens=") { return Int(word.dropFirst(7)) }
        return nil
    }

    var isEscaped: Bool { directives.split(separator: " ").contains("esc=1") }

    func target(of worker: Int) -> Target { targets[worker % targets.count] }

    /// One request's bytes.
    func request(worker: Int, id: String) -> [UInt8] {
        let path = paths[worker % paths.count]
        let target = target(of: worker)
        var text = "\(method) \(path) HTTP/1.1\r\nHost: \(target.host):\(target.port)\r\n"
        if !tokens.isEmpty { text += "Authorization: Bearer \(tokens[worker % tokens.count])\r\n" }
        for header in headers { text += "\(header)\r\n" }
        var content = body
        if dialect != .rest {
            let limit = expectedTokens ?? 16
            content = """
                {"prompt":"[[\(directives) stamp=1 id=\(id)]] hello","model":"\(model)","max_tokens":\(max(1, limit)),\
                "temperature":0.7,"stream":true}
                """
        }
        if let content { text += "Content-Type: application/json\r\nContent-Length: \(content.utf8.count)\r\n" }
        text += "\r\n"
        if let content { text += content }
        return Array(text.utf8)
    }
}

/// A server to be loaded.
struct Target: Sendable {
    let host: String
    let port: UInt16
}

/// What was counted; confined to the loop.
final class Tally {
    var sent = 0
    var done = 0
    var failed = 0
    var failures: [String: Int] = [:]
    var events = 0
    var bytes = 0
    var open = 0
    var maxOpen = 0
    /// Reads that did not end at a frame's end.
    var cutReads = 0
    /// From the request's write to the first token's read, or to the end of a plain answer.
    var firstToken = Histogram()
    /// From the upstream's write of a token to the read of it.
    var latency = Histogram()
    var whole = Histogram()
    /// When each stream was left, Unix nanoseconds, by id.
    var drops: [String: Int64] = [:]
    var lastEnd: Int64 = 0

    func fail(_ reason: String) {
        failed += 1
        failures[reason, default: 0] += 1
    }
}
