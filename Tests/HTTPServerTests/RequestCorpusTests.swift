import Foundation
import TestSupport
import Testing

@testable import HTTPServer

/// The corpora are no part of the project: this test runs where the environment says where they lie. Its runner gives each
/// stream two seconds, so it is asked for apart, when no other test keeps the machine busy.
@Suite(
    "The outside request corpus",
    .enabled(if: ProcessInfo.processInfo.environment["CORPORA"] != nil && ProcessInfo.processInfo.environment["ALONE"] == "1"))
struct RequestCorpusTests {
    @Test("every stream is judged rightly by a live server: whole, byte by byte and cut at each line end")
    func liveServer() async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        let corpora = try #require(ProcessInfo.processInfo.environment["CORPORA"])
        let address = echo.address
        _ = try await offPool {
            try ChildProcess.run(
                "/usr/bin/env", ["python3", "\(corpora)/http1-requests/run.py", address], deadline: .seconds(300))
        }
    }
}
