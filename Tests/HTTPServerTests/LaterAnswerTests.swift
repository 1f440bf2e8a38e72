import Foundation
import TestSupport
import Testing

@testable import HTTPServer

@Suite("An answer that comes by a call")
struct LaterAnswerTests {
    @Test("goes out at once, later, as a response or after a wait, and what was sent behind it follows in order")
    func order() async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        let answers = ["now": "called", "later": "called", "refused": "refused", "awaited": "called"]
        try await offPool {
            let client = try echo.client()
            let asked = (0..<60).map { _ in answers.keys.randomElement() ?? "now" }
            for name in asked {
                try client.sendRequest("GET", "/called/\(name)")
                try client.sendRequest("GET", "/hello")
            }
            for name in asked {
                #expect(try client.readResponse().text == answers[name], "\(asked)")
                #expect(try client.readResponse().text == "hello", "\(asked)")
            }
            // One at a time, each asked for when the one before is there.
            for name in asked { #expect(try client.request("GET", "/called/\(name)").text == answers[name]) }
        }
    }

    @Test("for a client that has left goes nowhere, and the server serves others")
    func departure() async throws {
        let echo = try await EchoServer.start()
        defer { echo.stop() }
        try await offPool {
            for name in ["later", "refused", "awaited"] {
                let client = try echo.client()
                try client.sendRequest("GET", "/called/\(name)")
                client.close()
                #expect(try echo.client().request("GET", "/hello").text == "hello")
            }
            #expect(try echo.client().request("GET", "/called/later").text == "called")
        }
    }
}
