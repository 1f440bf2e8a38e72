import ArgumentParser
import CSystem
import HTTPServer

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve the API until SIGTERM or SIGINT.",
        discussion: """
            Needs DATABASE_URL, UPSTREAM_API_KEY and SESSION_KEYS (or each with _FILE); refuses to start without them, and where \
            the login of DATABASE_URL may not act as the role `\(ApplicationRole.name)`, which `migrate` lets it. \
            UPSTREAMS_FILE stands in for UPSTREAM_API_KEY: a JSON file with several upstreams. \
            Prints `listening on URL` when it accepts connections. SIGTERM drains: unready at once, the listening socket \
            closed after DRAIN_DELAY, streams ended after DRAIN_TIMEOUT.
            """)

    /// The kernel's table takes eight bytes for each. Beyond this it grows as it is needed.
    private static let mostReservedDescriptors = 65_536

    func run() async throws {
        // All keys stand in this process's memory. Who needs a core file allows it to the process: prlimit --core=unlimited --pid PID.
        csystem_forbid_core_dumps()
        let configuration = try Configuration()
        // Nothing runs yet that would wait for these.
        csystem_reserve_descriptors(Int32(min(2 * configuration.server.maxConnections + 128, Self.mostReservedDescriptors)))
        if let objection = try ApplicationRole.objection(to: configuration.database) {
            throw ConfigurationError(complaints: [objection])
        }
        try await Application(configuration: configuration, sink: LogSink(descriptor: 2)).run()
    }
}
