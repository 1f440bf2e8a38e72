import Foundation
import StrictJSON
import TestSupport
import Testing

/// SIGTERM: unready at once, nobody cut off, gone in time.
@Suite("A server that is told to stop")
struct DrainTests {
    @Test("is unready at once, still serves for DRAIN_DELAY, lets what runs end well, and exits with 0")
    func drain() async throws {
        try await Stack.with(environment: ["DRAIN_DELAY": "2", "DRAIN_TIMEOUT": "20"]) { stack in
            let running = try stack.complete("id=drained tokens=100 interval=40")
            #expect(try running.readHead().status == 200)
            let idle = try stack.server.client()
            #expect(try idle.request("GET", "/healthz").status == 200)
            let process = stack.server.process
            process.signal(SIGTERM)
            let begun = ContinuousClock.now
            _ = try stack.wait("readyz to say so", within: .seconds(1)) {
                try stack.ask("GET", "/readyz").problemCode == "shutting_down" ? true : nil
            }
            // Balancers have not heard yet.
            #expect(try stack.completed("tokens=2").status == 200)
            #expect(try idle.request("GET", "/api/me", stack.fields()).status == 200)
            let events = try running.readEvents()
            #expect(events.last?.data == "[DONE]")
            #expect(events.count == 102)
            #expect(try process.waitForExit() == 0)
            #expect(ContinuousClock.now - begun < .seconds(15), "it does not wait for its time-outs")
            #expect(idle.waitForClose())
            #expect(throws: TestFailure.self, "nobody listens") { try stack.server.client() }
            try stack.expect("select count(*) from usage where outcome = 'done'", becomes: "2")
            try stack.expectAllSettled()
            #expect(try stack.row("select count(*) from processes") == ["0"], "its lease is given up")
        }
    }

    @Test("ends a stream that runs beyond DRAIN_TIMEOUT with an error event, and bills it")
    func timeout() async throws {
        try await Stack.with(environment: ["DRAIN_DELAY": "0", "DRAIN_TIMEOUT": "1"]) { stack in
            let running = try stack.complete("id=cut tokens=10000 interval=50", parameters: #""max_tokens":20000"#)
            _ = try running.readHead()
            let single = try stack.complete("tokens=10000 interval=50", stream: false, parameters: #""max_tokens":20000"#)
            _ = try running.readEvent()
            let begun = ContinuousClock.now
            #expect(try stack.server.process.terminate() == 0)
            #expect(ContinuousClock.now - begun < .seconds(6))
            let last = try #require(try running.readEvents().last)
            #expect(last.event == "error")
            #expect(try JSONValue(parsing: last.data ?? "")["code"]?.string == "shutting_down")
            #expect(try single.readResponse().status == 503)
            #expect(try stack.upstreamEnding("cut") == "client_closed_midstream")
            try stack.expect("select count(*) from usage where outcome = 'failed' and completion_tokens > 0", becomes: "2")
            try stack.expectAllSettled()
        }
    }

    @Test(
        "by SIGINT, or told twice, does not wait for balancers", arguments: [[SIGINT], [SIGTERM, SIGTERM], [SIGTERM, SIGINT]])
    func hurry(signals: [Int32]) async throws {
        try await Stack.with(environment: ["DRAIN_DELAY": "60", "DRAIN_TIMEOUT": "60"]) { stack in
            let process = stack.server.process
            for signal in signals {
                process.signal(signal)
                // Two of one kind that come together are one.
                try process.waitForLine(containing: "draining")
            }
            #expect(try process.waitForExit(deadline: .seconds(10)) == 0)
        }
    }
}
