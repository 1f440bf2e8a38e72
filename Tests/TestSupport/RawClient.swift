import Foundation
import Glibc

/// A plain-socket HTTP/1.1 client that does exactly what a test says: bytes in pieces, half-close, reset, slow reading.
///
/// Its calls block the calling thread, each with a deadline; use ``offPool(_:)`` around them in tests that run beside others.
package final class RawClient {
    /// The head of a response, as it was sent.
    package struct Head: Sendable {
        package let statusLine: String
        package let status: Int
        /// In order, names as sent.
        package let fields: [(name: String, value: String)]

        /// The first field of that name, in any case.
        package subscript(name: String) -> String? {
            fields.first { $0.name.lowercased() == name.lowercased() }?.value
        }
    }

    /// A whole response.
    package struct Response: Sendable {
        package let head: Head
        package let body: [UInt8]
        package var status: Int { head.status }
        package var text: String { String(decoding: body, as: UTF8.self) }
    }

    /// One block of an event stream; a comment line alone has only `comment`.
    package struct Event: Sendable, Equatable {
        package var event: String?
        package var data: String?
        package var comment: String?
    }

    /// How long any one call waits for the peer.
    package var deadline: Duration
    private var descriptor: Int32
    /// Bytes of the connection that were received and not yet taken.
    private var received: [UInt8] = []
    /// Body bytes of an event stream that were taken from the connection and not yet read as events.
    private var eventBytes: [UInt8] = []

    /// Connects to 127.0.0.1.
    /// - Parameter receiveBuffer: SO_RCVBUF in bytes, small to make a slow reader felt soon; nil for the system's.
    package init(port: UInt16, deadline: Duration = .seconds(10), receiveBuffer: Int32? = nil) throws {
        self.deadline = deadline
        // A process that another test starts meanwhile must not hold the connection open when it is closed here.
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        if var size = receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            let cause = errno
            Glibc.close(descriptor)
            descriptor = -1
            throw TestFailure("cannot connect to port \(port): \(String(cString: strerror(cause)))")
        }
    }

    deinit {
        close()
    }

    // MARK: Sending

    /// Sends text as UTF-8.
    package func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// Sends in pieces of the given size, each in a send of its own; the kernel may still join them.
    package func send(_ bytes: [UInt8], pieces: Int = Int.max) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(pieces)
            let count = piece.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count < 0 {
                if errno == EINTR { continue }
                throw TestFailure("send failed: \(String(cString: strerror(errno)))")
            }
            rest = rest.dropFirst(count)
        }
    }

    /// One request with a head made of these fields; Host is added, Content-Length when there is a body.
    package func sendRequest(_ method: String, _ target: String, _ fields: [String: String] = [:], body: String? = nil) throws {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n"
        for (name, value) in fields { text += "\(name): \(value)\r\n" }
        if let body { text += "Content-Length: \(body.utf8.count)\r\n" }
        try send(text + "\r\n" + (body ?? ""))
    }

    /// Sends a request and reads the whole response.
    package func request(
        _ method: String, _ target: String, _ fields: [String: String] = [:], body: String? = nil
    ) throws -> Response {
        try sendRequest(method, target, fields, body: body)
        return try readResponse(bodyless: method == "HEAD")
    }

    /// Says that nothing more will be sent (FIN).
    package func halfClose() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Breaks the connection with RST.
    package func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    /// Closes the connection; the kernel still sends what was handed to it.
    package func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    // MARK: Receiving

    /// The next response head; interim responses (1xx) are heads too.
    package func readHead() throws -> Head {
        let text = String(decoding: try take(through: Array("\r\n\r\n".utf8)), as: UTF8.self)
        let lines = text.components(separatedBy: "\r\n")
        let parts = lines[0].split(separator: " ", maxSplits: 2)
        guard parts.count >= 2, parts[0].hasPrefix("HTTP/1."), let status = Int(parts[1]) else {
            throw TestFailure("not a status line: \(lines[0])")
        }
        let fields = try lines.dropFirst().filter { !$0.isEmpty }.map { line -> (name: String, value: String) in
            guard let colon = line.firstIndex(of: ":") else { throw TestFailure("not a field line: \(line)") }
            return (String(line[..<colon]), line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces))
        }
        return Head(statusLine: lines[0], status: status, fields: fields)
    }

    /// Head and body: by Content-Length, by chunks, or until the connection ends.
    package func readResponse(bodyless: Bool = false) throws -> Response {
        let head = try readHead()
        if bodyless || head.status < 200 || head.status == 204 || head.status == 304 { return Response(head: head, body: []) }
        return Response(head: head, body: try readBody(of: head))
    }

    /// The body that follows a head.
    package func readBody(of head: Head) throws -> [UInt8] {
        if head["transfer-encoding"]?.lowercased() == "chunked" {
            var body: [UInt8] = []
            while let chunk = try readChunk() { body += chunk }
            return body
        }
        if let length = head["content-length"] {
            guard let count = Int(length) else { throw TestFailure("Content-Length: \(length)") }
            return try take(count)
        }
        return try readToEnd()
    }

    /// The next chunk of a chunked body; nil at its proper end, trailers included.
    package func readChunk() throws -> [UInt8]? {
        let line = String(decoding: try take(through: Array("\r\n".utf8)).dropLast(2), as: UTF8.self)
        guard let size = Int(line.prefix { $0 != ";" }, radix: 16) else { throw TestFailure("not a chunk size: \(line)") }
        if size == 0 {
            while try take(through: Array("\r\n".utf8)).count > 2 {}
            return nil
        }
        let chunk = try take(size)
        guard try take(2) == Array("\r\n".utf8) else { throw TestFailure("a chunk does not end with CRLF") }
        return chunk
    }

    /// The next event or comment of a chunked event stream; nil when the body has ended properly. A connection that ends
    /// without the last chunk throws.
    package func readEvent() throws -> Event? {
        while true {
            if let end = eventBytes.firstRange(of: Array("\n\n".utf8)) {
                let block = String(decoding: eventBytes[..<end.lowerBound], as: UTF8.self)
                eventBytes.removeSubrange(..<end.upperBound)
                return Self.event(block)
            }
            guard let chunk = try readChunk() else {
                guard eventBytes.isEmpty else { throw TestFailure("the body ends inside an event") }
                return nil
            }
            eventBytes += chunk
        }
    }

    /// All events up to the proper end of the body.
    package func readEvents() throws -> [Event] {
        var events: [Event] = []
        while let event = try readEvent() { events.append(event) }
        return events
    }

    /// Everything up to the peer's FIN; a reset throws.
    package func readToEnd() throws -> [UInt8] {
        while try receive() {}
        defer { received = [] }
        return received
    }

    /// What has come already, or else what one receive call gives; throws at the peer's FIN.
    package func readAvailable() throws -> [UInt8] {
        if received.isEmpty { try receiveMore("more bytes") }
        defer { received = [] }
        return received
    }

    /// What one receive call gives, at most so many bytes: the rest stays in the kernel. Throws at the peer's FIN.
    package func readAvailable(atMost count: Int) throws -> [UInt8] {
        if received.isEmpty, try !receive(atMost: count) { throw TestFailure("the connection ended") }
        defer { received.removeFirst(min(count, received.count)) }
        return Array(received.prefix(count))
    }

    /// Whether the peer ends the connection, by FIN or RST, within the deadline; bytes before that are kept.
    package func waitForClose() -> Bool {
        do {
            while try receive() {}
            return true
        } catch let failure as TestFailure {
            return !failure.description.hasPrefix("nothing received")
        } catch {
            return false
        }
    }

    // MARK: Bytes

    private func take(_ count: Int) throws -> [UInt8] {
        while received.count < count { try receiveMore("\(count) bytes") }
        defer { received.removeFirst(count) }
        return Array(received[..<count])
    }

    private func take(through mark: [UInt8]) throws -> [UInt8] {
        while true {
            if let range = received.firstRange(of: mark) {
                defer { received.removeSubrange(..<range.upperBound) }
                return Array(received[..<range.upperBound])
            }
            try receiveMore("a line")
        }
    }

    private func receiveMore(_ wanted: String) throws {
        guard try receive() else {
            throw TestFailure("the connection ended before \(wanted): '\(String(decoding: received.suffix(200), as: UTF8.self))'")
        }
    }

    /// Receives once; false at the peer's FIN.
    private func receive(atMost limit: Int = 64 * 1024) throws -> Bool {
        var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let milliseconds = deadline.components.seconds * 1000 + deadline.components.attoseconds / 1_000_000_000_000_000
        guard poll(&watched, 1, Int32(clamping: milliseconds)) > 0 else {
            let before = String(decoding: received.suffix(200), as: UTF8.self)
            throw TestFailure("nothing received within \(deadline); before: '\(before)'")
        }
        var buffer = [UInt8](repeating: 0, count: limit)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count >= 0 else { throw TestFailure("receive failed: \(String(cString: strerror(errno)))") }
        received.append(contentsOf: buffer[..<count])
        return count > 0
    }

    /// The lines of one block (WHATWG HTML, 9.2.6): several data lines are joined with line feeds.
    private static func event(_ block: String) -> Event {
        var event = Event()
        for line in block.split(separator: "\n", omittingEmptySubsequences: false) {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            var value = parts.count > 1 ? parts[1] : ""
            if value.first == " " { value = value.dropFirst() }
            switch parts[0] {
            case "": if parts.count > 1 { event.comment = String(value) }
            case "event": event.event = String(value)
            case "data": event.data = event.data.map { $0 + "\n" + value } ?? String(value)
            default: break
            }
        }
        return event
    }
}
