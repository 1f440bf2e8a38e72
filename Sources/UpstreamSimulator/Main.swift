import ArgumentParser
import CSystem
import EventLoop
import Glibc

/// An upstream that speaks OpenAI's completions and chat contracts, tells little stories, and goes wrong on demand.
@main
struct UpstreamSimulator: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "A simulated OpenAI-style completions server, for development, tests and benchmarks.",
        discussion: """
            POST /v1/completions, POST /v1/chat/completions and GET /v1/models answer as the real ones do.
            GET /_requests[?id=ID][&since=NUMBER] tells how each request ended and what was really sent, GET /_stats the totals,
            GET /_aborts when clients left, GET /_last the last completion request as it came; POST /_reset forgets.

            \(Directives.help)
            """)

    @Option(help: "The address to listen on.") var host = "127.0.0.1"
    @Option(help: "The port; 0 takes a free one.") var port: UInt16 = 0
    @Option(help: "The API key that is accepted.") var key = "upstream-key"
    @Option(help: "Event loops, each with its thread.") var loops = 1
    @Option(help: "Model names, with commas between them; * takes any.") var models = ModelCatalogue.usual.names.joined(
        separator: ",")
    @Option(help: "Milliseconds between the words of a story.") var interval = 40

    func validate() throws {
        guard 1...64 ~= loops else { throw ValidationError("--loops is from 1 to 64") }
        guard 0...60_000 ~= interval else { throw ValidationError("--interval is from 0 to 60000") }
    }

    func run() throws {
        signal(SIGPIPE, SIG_IGN)
        for end in [SIGTERM, SIGINT] { signal(end) { _ in _exit(0) } }
        _ = csystem_raise_descriptor_limit()
        csystem_reserve_descriptors(32_768)
        let listener = try Socket.listen(host: host, port: port)
        let settings = Settings(
            authorization: "Bearer \(key)",
            models: ModelCatalogue(names: models.split(separator: ",").map(String.init)),
            storyInterval: interval)
        let journal = Journal()
        let running = (0..<loops).map { index in
            let loop = EventLoop(name: "simulator-\(index)")
            loop.start()
            loop.spawn { loop in
                let service = Service(io: loop.io, journal: journal, settings: settings)
                loop.io.register(Listener(descriptor: listener, service: service), .sharedListener)
            }
            return loop
        }
        let address = host.contains(":") ? "[\(host)]" : host
        let line = Array("listening on http://\(address):\(Socket.localPort(of: listener))\n".utf8)
        _ = write(1, line, line.count)
        withExtendedLifetime(running) { while true { pause() } }
    }
}
