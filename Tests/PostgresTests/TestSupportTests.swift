import Foundation
import Glibc
import TestSupport
import Testing

@Suite
struct TestSupportTests {
    @Test("a child's lines, exit status and death by signal are seen")
    func child() async throws {
        try await offPool {
            let child = try ChildProcess("/bin/sh", ["-c", "echo out $WORD; echo err >&2; exit 3"], environment: ["WORD": "x"])
            try child.waitForLine(containing: "out x")
            try child.waitForLine(containing: "err")
            #expect(try child.waitForExit() == 3)
            #expect(throws: TestFailure.self) { try child.waitForLine(containing: "never") }

            let sleeper = try ChildProcess("/bin/sleep", ["60"])
            #expect(sleeper.isRunning)
            #expect(try sleeper.terminate() == -SIGTERM)
            #expect(!sleeper.isRunning)
        }
    }

    @Test("the raw client reads heads, bodies of every framing, and event streams")
    func client() async throws {
        let answers = [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nok",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: x\r\n\r\n",
        ]
        let stream =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "8\r\ndata: 1\n\r\n7\r\n\n: hb\n\n\r\n1a\r\nevent: end\ndata: a\ndata:\n\n\r\n0\r\n\r\n"
        let port = try serve(answers[0] + answers[1] + stream + "HTTP/1.1 204 No Content\r\n\r\nrest")
        try await offPool {
            let client = try RawClient(port: port)
            let first = try client.request("GET", "/", ["Accept": "*/*"], body: "body")
            #expect(first.status == 200)
            #expect(first.text == "ok")
            #expect(first.head["x-a"] == "b")
            #expect(try client.readResponse().text == "abcde")
            #expect(try client.readHead().status == 200)
            let events = try client.readEvents()
            #expect(events.map(\.data) == ["1", nil, "a\n"])
            #expect(events.map(\.comment) == [nil, "hb", nil])
            #expect(events.map(\.event) == [nil, nil, "end"])
            #expect(try client.readResponse().status == 204)
            #expect(try client.readToEnd() == Array("rest".utf8))
            #expect(client.waitForClose())
        }
    }

    /// Accepts one connection, waits for a first byte, sends `bytes` and closes.
    private func serve(_ bytes: String) throws -> UInt16 {
        let port = try freePort()
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0, listen(listener, 1) == 0 else { throw TestFailure("cannot listen") }
        Thread.detachNewThread {
            let connection = accept(listener, nil, nil)
            var buffer = [UInt8](repeating: 0, count: 4096)
            _ = recv(connection, &buffer, buffer.count, 0)
            let bytes = Array(bytes.utf8)
            _ = Glibc.send(connection, bytes, bytes.count, 0)
            shutdown(connection, Int32(SHUT_WR))
            while recv(connection, &buffer, buffer.count, 0) > 0 {}
            close(connection)
            close(listener)
        }
        return port
    }
}
