import EventLoop
import Glibc
import HTTPCore
import StrictJSON

/// The simulator's side of a run: when it noticed that clients had left. Blocking; asked when the load is over.
struct UpstreamView {
    let host: String
    let port: UInt16

    /// Waits until every dropped stream was noticed, or `patience` seconds are over.
    /// - Returns: Unix nanoseconds of the noticing, by id.
    func noticed(_ drops: [String: Int64], patience: Double) -> [String: Int64] {
        let deadline = SystemClock.monotonicNanoseconds() + Int64(patience * 1e9)
        while true {
            var seen: [String: Int64] = [:]
            for member in aborts?.members ?? [] where drops[member.key] != nil {
                seen[member.key] = member.value.number?.integer
            }
            if seen.count == drops.count || SystemClock.monotonicNanoseconds() > deadline { return seen }
            usleep(100_000)
        }
    }

    private var aborts: JSONObject? {
        guard let descriptor = try? Socket.connect(ipv4: host, port: port) else { return nil }
        defer { Socket.close(descriptor) }
        var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&poller, 1, 2000)
        let request = Array("GET /_aborts HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n".utf8)
        _ = request.withUnsafeBufferPointer { Socket.send(descriptor, $0) }
        var answer: [UInt8] = []
        let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 64 * 1024)
        defer { buffer.deallocate() }
        poller.events = Int16(POLLIN)
        while poll(&poller, 1, 5000) > 0 {
            switch Socket.receive(descriptor, into: buffer) {
            case .moved(let count): answer.append(contentsOf: buffer[..<count])
            case .blocked: continue
            case .ended, .failed:
                var parser = ResponseHeadParser()
                guard let head = try? parser.parse(answer.span) else { return nil }
                return try? JSONValue(parsing: Array(answer[head.length...])).object
            }
        }
        return nil
    }
}
