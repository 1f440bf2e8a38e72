import Foundation
import TestSupport
import Testing

/// What is there before many connections come at once.
@Suite("The kernel's table of descriptors")
struct DescriptorTableTests {
    /// Whoever makes the table grow waits for it, and a loop that waits serves nobody.
    @Test("has room for every connection and its upstream before the first one comes")
    func reserved() async throws {
        try await offPool {
            var environment = Stack.variables(database: try PostgresServer.shared().freshDatabase(), upstreamPort: 1)
            environment["MAX_CONNECTIONS"] = "2000"
            let process = try ChildProcess(
                ChildProcess.buildDirectory + "/APIServer", ["serve"], environment: environment)
            defer { process.signal(SIGKILL) }
            try process.waitForLine(containing: "listening on ")
            let status = try String(contentsOfFile: "/proc/\(process.pid)/status", encoding: .utf8)
            let line = status.split(separator: "\n").first { $0.hasPrefix("FDSize:") }
            let size = try #require(line?.split(separator: "\t").last.flatMap { Int($0) }, "\(status)")
            #expect(size >= 4128)
        }
    }
}
