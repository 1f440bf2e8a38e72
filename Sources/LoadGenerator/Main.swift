import ArgumentParser
import CSystem
import EventLoop
import Glibc

/// Drives streams or plain requests at a server, checks every token, and says how long they took and what they cost.
@main
struct LoadGenerator: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "A load generator for completion streams and plain requests, over HTTP/1.1 keep-alive.",
        discussion: """
            It expects UpstreamSimulator behind the server: the prompt carries directives, and each token its number and the
            time at which it was sent, so that lat_* is the time from the upstream's write to the read here, on one clock.
            ttft_* is from the request's write to the first token's read; us_* the CPU time of --pid and its descendants in
            microseconds; kib_stream their growth with all streams open. A stream counts as failed unless every token came
            once and in order, a finish_reason, and [DONE] last. Exits with 1 when a stream failed.
            """)

    @Option(name: .customLong("url"), help: "Where to: http://ADDRESS:PORT/path (repeatable: rotated over the connections).")
    var urls: [String]
    @Option(help: "How the answer speaks: ours, openai or rest (one plain answer).") var dialect = "ours"
    @Option(help: "The method.") var method: String?
    @Option(help: "The body of a plain request.") var body: String?
    @Option(help: "A file of paths, one a line, rotated over the connections.") var paths: String?
    @Option(help: "A bearer token.") var token: String?
    @Option(help: "A file of bearer tokens, one a line, rotated over the connections.") var tokens: String?
    @Option(name: .customLong("header"), help: "A further header line (repeatable).") var headers: [String] = []
    @Option(help: "The upstream's behaviour; see UpstreamSimulator --help.") var directives = "tokens=16"
    @Option(help: "The model asked for.") var model = "m"
    @Option(name: [.customShort("c"), .long], help: "Streams at once.") var concurrency = 1
    @Option(name: [.customShort("n"), .long], help: "Streams in all (by default as many as at once).") var total: Int?
    @Option(name: [.customShort("d"), .long], help: "Begin no stream after so many seconds.") var duration: Double?
    @Option(help: "Begin so many streams a second, as far as connections are free.") var rate: Double?
    @Option(help: "Seconds over which the connections' starts are spread.") var ramp = 0.0
    @Option(help: "Seconds that a stream may take.") var timeout = 60.0
    @Option(help: "Close each connection after so many tokens, and tell when the upstream noticed.") var drop: Int?
    @Option(help: "Keep all streams open for so many seconds after their first tokens, then close them.") var hold: Double?
    @Option(help: "The status that is right.") var status = 200
    @Option(help: "The simulator's own address, for --drop.") var upstream = "http://127.0.0.1:9000"
    @Option(help: "The server's process id: its CPU time and memory, with its descendants.") var pid: Int?
    @Option(help: "A name for the output.") var label = "load"
    @Option(help: "Append the figures to this file as one line of JSON; - for standard output.") var json: String?

    func validate() throws {
        guard Dialect(rawValue: dialect) != nil else { throw ValidationError("--dialect is ours, openai or rest") }
        guard !urls.isEmpty else { throw ValidationError("--url is needed") }
        guard 1...60_000 ~= concurrency else { throw ValidationError("--concurrency is from 1 to 60000") }
    }

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        _ = csystem_raise_descriptor_limit()
        csystem_reserve_descriptors(32_768)
        let plan = try plan()
        let own = getpid()
        let ownBefore = ProcessUse.cpu(of: own)
        let loop = EventLoop(name: "load")
        loop.start()
        var figures = try await loop.run { loop in
            // Of this loop, as is the task that paces it.
            nonisolated(unsafe) let run = LoadRun(plan: plan, io: loop.io)
            loop.spawn { _ in await run.pace() }
            return await withUnsafeContinuation { continuation in run.start { continuation.resume(returning: $0) } }
        }
        figures.label = label
        figures.loadSeconds = Double(ProcessUse.cpu(of: own) - ownBefore) / 1e9
        if plan.drop != nil { try addDrops(&figures) }
        print(figures.line)
        if let json { try append(figures.json + "\n", to: json) }
        if figures.failed > 0 || figures.dropsMissed ?? 0 > 0 { throw ExitCode(1) }
    }

    private func addDrops(_ figures: inout Figures) throws {
        let address = try Address(upstream)
        let seen = UpstreamView(host: address.host, port: address.port).noticed(figures.drops, patience: 8)
        var delays = Histogram()
        for (id, left) in figures.drops { if let noticed = seen[id] { delays.add(noticed - left) } }
        figures.dropDelays = [0.5, 0.99, 1].map(delays.quantile)
        figures.dropsMissed = figures.drops.count - seen.count
    }

    private func plan() throws -> LoadPlan {
        let addresses = try urls.map { try Address($0) }
        let kind = Dialect(rawValue: dialect) ?? .ours
        return LoadPlan(
            targets: addresses.map { Target(host: $0.host, port: $0.port) }, dialect: kind,
            method: method ?? (kind == .rest ? "GET" : "POST"),
            paths: try paths.map(lines) ?? addresses.prefix(1).map(\.path),
            tokens: try tokens.map(lines) ?? token.map { [$0] } ?? [],
            headers: headers, body: body, directives: directives, model: model, concurrency: concurrency,
            total: total ?? (duration == nil ? concurrency : nil), seconds: duration, rate: rate, ramp: ramp, timeout: timeout,
            drop: drop,
            hold: hold, status: status, pid: pid, runID: String(UInt64(SystemClock.unixNanoseconds()), radix: 36))
    }

    private func lines(_ path: String) throws -> [String] {
        guard let file = fopen(path, "re") else { throw ValidationError("cannot read \(path)") }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { break }
            bytes.append(contentsOf: buffer[..<count])
        }
        let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
        guard !lines.isEmpty else { throw ValidationError("\(path) is empty") }
        return lines
    }

    private func append(_ text: String, to path: String) throws {
        if path == "-" { return print(text, terminator: "") }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw ValidationError("cannot write \(path)") }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        _ = write(descriptor, bytes, bytes.count)
    }
}

/// An `http` URL with a numeric IPv4 address or localhost.
struct Address {
    let host: String
    let port: UInt16
    let path: String

    init(_ url: String) throws {
        let parts = url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count >= 3, parts[0] == "http:", parts[1].isEmpty else { throw ValidationError("not an http URL: \(url)") }
        let authority = parts[2].split(separator: ":")
        guard let name = authority.first else { throw ValidationError("no host in \(url)") }
        guard let port = authority.count > 1 ? UInt16(authority[1]) : 80 else { throw ValidationError("bad port in \(url)") }
        host = name == "localhost" ? "127.0.0.1" : String(name)
        self.port = port
        path = "/" + (parts.count > 3 ? String(parts[3]) : "")
    }
}
