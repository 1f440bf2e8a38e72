import EventLoop
import Foundation
import Glibc
import Synchronization

/// A rough network between two programs of a test: a TCP relay on 127.0.0.1 that forwards a few bytes at a time and breaks
/// connections at a chosen byte. It makes no attempt to be fast, and carries what fits sockets' buffers.
package final class RoughProxy: Sendable {
    /// How a connection breaks.
    package enum Break: CaseIterable, Sendable {
        /// Both sides see a proper end.
        case fin
        case rst
        /// Both sides stay open and hear nothing more, until the next trouble is set.
        case silence
    }

    package enum Direction: Sendable { case request, answer }

    /// What happens to the bytes from now on, those of open connections included.
    package struct Trouble: Sendable {
        package var slice = 7
        package var direction = Direction.answer
        /// So many bytes of that direction pass, counted from when the trouble is set or the connection made.
        package var passes = Int.max
        package var kind = Break.fin

        package init() {}

        package init(_ kind: Break, after passes: Int, of direction: Direction = .answer) {
            self.kind = kind
            self.passes = passes
            self.direction = direction
        }
    }

    private struct State {
        var target: UInt16 = 0
        var trouble = Trouble()
        var generation = 0
        var isStopped = false
        /// Bytes of the answer on the latest connection since the trouble was set.
        var answered = 0
    }

    package let port: UInt16
    private let listener: Int32
    private let state = Mutex(State())

    /// Begins to listen, and connects to the port it is aimed at for each connection.
    package init() throws {
        port = try freePort()
        listener = try Self.open()
        var on: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        guard Self.withAddress(port, { bind(listener, $0, $1) }) == 0, listen(listener, 128) == 0 else {
            throw TestFailure("the proxy cannot listen: \(String(cString: strerror(errno)))")
        }
        Thread.detachNewThread { [self] in accept() }
    }

    /// Where the connections from now on lead.
    package func aim(at target: UInt16) { state.withLock { $0.target = target } }

    package func set(_ trouble: Trouble) {
        state.withLock { state in
            state.trouble = trouble
            state.generation += 1
            state.answered = 0
        }
    }

    /// Bytes of answers that have passed since the trouble was set.
    package var answered: Int { state.withLock(\.answered) }

    /// Breaks every connection and listens no more.
    package func stop() {
        state.withLock { $0.isStopped = true }
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private func accept() {
        while true {
            guard let client = try? Socket.accept(listener) else { break }
            _ = fcntl(client, F_SETFL, fcntl(client, F_GETFL) & ~O_NONBLOCK)
            Thread.detachNewThread { [self] in carry(client) }
        }
        close(listener)
    }

    private func carry(_ client: Int32) {
        let target = state.withLock(\.target)
        guard let server = try? Self.open(), Self.withAddress(target, { connect(server, $0, $1) }) == 0 else {
            return Self.reset(client)
        }
        var passage = Passage(client: client, server: server)
        while true {
            let (trouble, generation, isStopped) = state.withLock { ($0.trouble, $0.generation, $0.isStopped) }
            if isStopped || passage.isSilent && generation != passage.generation {
                return passage.end(.rst)
            }
            if generation != passage.generation { passage.begin(generation) }
            if passage.isSilent {
                usleep(5_000)
                continue
            }
            let before = passage.answered
            guard passage.turn(trouble) else { return }
            let passed = passage.answered - before
            if passed > 0 { state.withLock { $0.answered += passed } }
        }
    }

    /// One connection, in the hands of one thread.
    private struct Passage {
        let client: Int32
        let server: Int32
        var generation = -1
        var isSilent = false
        var requested = 0
        var answered = 0
        var hasClientEnded = false
        var hasServerEnded = false

        init(client: Int32, server: Int32) {
            self.client = client
            self.server = server
            for descriptor in [client, server] {
                var on: Int32 = 1
                setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
                var limit = timeval(tv_sec: 5, tv_usec: 0)
                setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            }
        }

        /// Another trouble has been set.
        mutating func begin(_ generation: Int) {
            self.generation = generation
            requested = 0
            answered = 0
        }

        /// Forwards one slice of each direction that has something; false once the connection has ended.
        mutating func turn(_ trouble: Trouble) -> Bool {
            var watched = [
                pollfd(fd: hasClientEnded ? -1 : client, events: Int16(POLLIN), revents: 0),
                pollfd(fd: hasServerEnded ? -1 : server, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&watched, 2, 20) <= 0 { return true }
            if watched[0].revents != 0, !forward(.request, trouble) { return false }
            if isSilent { return true }
            if watched[1].revents != 0, !forward(.answer, trouble) { return false }
            if hasClientEnded, hasServerEnded {
                end(.fin)
                return false
            }
            return true
        }

        private mutating func forward(_ direction: Direction, _ trouble: Trouble) -> Bool {
            let (from, to) = direction == .request ? (client, server) : (server, client)
            var slice = [UInt8](repeating: 0, count: trouble.slice)
            let passed = direction == .request ? requested : answered
            let left = trouble.direction == direction ? trouble.passes - passed : Int.max
            let count = recv(from, &slice, min(slice.count, max(1, left)), 0)
            if count < 0 {
                end(.rst)
                return false
            }
            if count == 0 {
                shutdown(to, Int32(SHUT_WR))
                if direction == .request { hasClientEnded = true } else { hasServerEnded = true }
                return true
            }
            let allowed = min(count, max(0, left))
            if allowed > 0, send(to, slice, allowed, Int32(MSG_NOSIGNAL)) != allowed {
                end(.rst)
                return false
            }
            if direction == .request { requested += allowed } else { answered += allowed }
            guard allowed == left else { return true }
            if trouble.kind == .silence {
                isSilent = true
                return true
            }
            end(trouble.kind)
            return false
        }

        func end(_ how: Break) {
            for descriptor in [client, server] {
                if how == .rst { RoughProxy.reset(descriptor) } else { close(descriptor) }
            }
        }
    }

    private static func open() throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw TestFailure("no socket: \(String(cString: strerror(errno)))") }
        return descriptor
    }

    private static func reset(_ descriptor: Int32) {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close(descriptor)
    }

    private static func withAddress(_ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }
}
