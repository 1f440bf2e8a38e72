import HTTPTypes
import PlaygroundCore
import StrictJSON
import Testing

@testable import APIServer

@Suite("The log line of a request")
struct RequestEntryTests {
    @Test("has the method where it is one that the API knows, and not whatever a client wrote in its place")
    func method() throws {
        for (text, logged) in [("PATCH", "PATCH"), ("pga_AQEEa2lkMQAAAABrA79xAaIG", "other"), ("get", "other")] {
            let entry = RequestEntry(
                id: RequestID(UUIDBytes(high: 1, low: 2)), method: try #require(HTTPRequest.Method(text)), route: "none",
                status: 405, microseconds: 1, client: "192.0.2.1", user: nil, code: nil, cause: nil)
            var writer = JSONWriter()
            writer.object { entry.writeMembers(to: &$0) }
            let line = String(decoding: writer.bytes, as: UTF8.self)
            #expect(line.contains(#""method":"\#(logged)""#), "\(line)")
        }
    }
}
