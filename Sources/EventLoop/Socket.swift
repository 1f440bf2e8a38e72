import CSystem
import Glibc

/// A system call on a socket that failed.
package struct SocketError: Error, CustomStringConvertible {
    /// The call, as in its manual page.
    package let call: String
    /// The value of errno.
    package let code: Int32
    package var description: String { "\(call): \(String(cString: strerror(code)))" }
}

/// The system calls on stream sockets, without policy. Every descriptor is non-blocking and closed on exec.
package enum Socket {
    /// What one read or write came to.
    package enum Transfer: Equatable {
        /// So many bytes, at least one.
        case moved(Int)
        /// Nothing can be moved now: the loop will tell.
        case blocked
        /// The peer closed its sending side (reads only).
        case ended
        /// The connection is broken.
        case failed
    }

    /// Connections the kernel completes and keeps until they are accepted.
    package static let backlog: Int32 = 4096

    /// Opens a listening TCP socket.
    /// - Parameters:
    ///   - host: a numeric IPv4 or IPv6 address, or `localhost`.
    ///   - port: 0 takes a free one: see ``localPort(of:)``.
    /// - Throws: ``SocketError``, naming the call that failed.
    package static func listen(host: String, port: UInt16, backlog: Int32 = Socket.backlog) throws(SocketError) -> Int32 {
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0, let address = list else {
            throw SocketError(call: "getaddrinfo \(host)", code: EADDRNOTAVAIL)
        }
        defer { freeaddrinfo(list) }
        let descriptor = try open(family: address.pointee.ai_family)
        setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
        // Accepted sockets inherit it: one system call less for each.
        disableNagle(descriptor)
        if bind(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen) != 0 { throw closing(descriptor, "bind") }
        if Glibc.listen(descriptor, backlog) != 0 { throw closing(descriptor, "listen") }
        return descriptor
    }

    /// Begins to connect to a numeric IPv4 address; the descriptor becomes writable when that has ended.
    package static func connect(ipv4 host: String, port: UInt16) throws(SocketError) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else { throw SocketError(call: "inet_pton", code: EINVAL) }
        let descriptor = try open(family: AF_INET)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result != 0, errno != EINPROGRESS { throw closing(descriptor, "connect") }
        disableNagle(descriptor)
        return descriptor
    }

    /// The next waiting connection; nil when there is none.
    /// - Throws: what `accept4` failed with, EMFILE among it. A connection that was gone again (ECONNABORTED) is no error.
    package static func accept(_ listener: Int32) throws(SocketError) -> Int32? {
        while true {
            let descriptor = csystem_accept(listener)
            if descriptor >= 0 { return descriptor }
            switch errno {
            case EAGAIN: return nil
            case EINTR, ECONNABORTED, EPROTO: continue
            default: throw SocketError(call: "accept", code: errno)
            }
        }
    }

    package static func receive(_ descriptor: Int32, into buffer: UnsafeMutableBufferPointer<UInt8>) -> Transfer {
        let count = csystem_receive(descriptor, buffer.baseAddress, buffer.count)
        if count > 0 { return .moved(count) }
        return count == 0 ? .ended : count == CSYSTEM_BLOCKED ? .blocked : .failed
    }

    package static func send(_ descriptor: Int32, _ bytes: UnsafeBufferPointer<UInt8>) -> Transfer {
        let count = csystem_send(descriptor, bytes.baseAddress, bytes.count)
        if count > 0 { return .moved(count) }
        return count == 0 || count == CSYSTEM_BLOCKED ? .blocked : .failed
    }

    /// Bounds what the kernel takes for a peer beyond what is in flight; set on a listener, accepted sockets inherit it.
    /// Without a bound it takes megabytes.
    ///
    /// TCP_USER_TIMEOUT has no place beside it. In the kernel that clock runs from the first probe of a closed window until the
    /// first waiting segment fits into it whole, and those have up to 64 KiB: a peer that opens its window by less each time
    /// would be cut in the midst of its progress.
    package static func boundUnsent(_ descriptor: Int32, bytes: Int) {
        setOption(descriptor, Int32(IPPROTO_TCP), TCP_NOTSENT_LOWAT, Int32(clamping: bytes))
    }

    /// Bytes that the kernel holds for the peer: unsent, or not acknowledged.
    package static func heldBytes(_ descriptor: Int32) -> Int { Int(csystem_held_bytes(descriptor)) }

    /// Bytes that the peer has acknowledged since it connected.
    package static func acknowledgedBytes(_ descriptor: Int32) -> UInt64 { csystem_acknowledged_bytes(descriptor) }

    /// Ends the sending direction: the peer reads to the end, while we still read.
    package static func shutdownSending(_ descriptor: Int32) { _ = shutdown(descriptor, Int32(SHUT_WR)) }

    /// Closes a descriptor that no loop watches.
    package static func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

    /// Makes the close that follows send RST instead of FIN.
    package static func resetOnClose(_ descriptor: Int32) {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    /// The port a socket is bound to.
    package static func localPort(of descriptor: Int32) -> UInt16 {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(descriptor, $0, &length) }
            // sin_port and sin6_port lie at the same place.
            return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { UInt16(bigEndian: $0.pointee.sin_port) }
        }
    }

    /// The peer's numeric address, without the port; an IPv4 address mapped into IPv6 is given as IPv4. Empty when it is gone.
    package static func peerAddress(of descriptor: Int32) -> String {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> String in
                guard getpeername(descriptor, address, &length) == 0 else { return "" }
                return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
                    guard getnameinfo(address, length, text.baseAddress, 64, nil, 0, Int32(NI_NUMERICHOST)) == 0,
                        let start = text.baseAddress
                    else { return "" }
                    let name = String(cString: start)
                    return name.hasPrefix("::ffff:") && name.contains(".") ? String(name.dropFirst(7)) : name
                }
            }
        }
    }

    private static func open(family: Int32) throws(SocketError) -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(family, kind, 0)
        if descriptor < 0 { throw SocketError(call: "socket", code: errno) }
        return descriptor
    }

    private static func closing(_ descriptor: Int32, _ call: String) -> SocketError {
        let error = SocketError(call: call, code: errno)
        _ = Glibc.close(descriptor)
        return error
    }

    private static func setOption(_ descriptor: Int32, _ level: Int32, _ name: Int32, _ value: Int32) {
        var value = value
        setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func disableNagle(_ descriptor: Int32) { setOption(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1) }
}
