import Foundation
import TestSupport
import Testing

/// What a crash leaves behind.
@Suite("A crash")
struct CoreDumpTests {
    @Test("leaves no core file with the keys in it, also where the machine would have one written")
    func noCoreFile() async throws {
        try await offPool {
            let environment = Stack.variables(database: try PostgresServer.shared().freshDatabase(), upstreamPort: 1)
            let script = #"ulimit -S -c $(ulimit -H -c); exec "$0" serve"#
            let process = try ChildProcess(
                "/bin/sh", ["-c", script, ChildProcess.buildDirectory + "/APIServer"], environment: environment)
            defer { process.signal(SIGKILL) }
            try process.waitForLine(containing: "listening on ")
            let limits = try String(contentsOfFile: "/proc/\(process.pid)/limits", encoding: .utf8)
            let line = limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") }
            #expect(line?.split(separator: " ").dropFirst(4).first == "0", "\(limits)")
        }
    }
}
