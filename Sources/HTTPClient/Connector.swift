import CLibcurl
import EventLoop

/// Makes connections with libcurl (name look-up, happy eyeballs, proxy, connect) and takes their sockets over.
///
/// One libcurl multi per client and loop. libcurl watches a socket only until it is connected; then the handle is freed at
/// once, and TLS and HTTP on the socket are ours. libcurl's callbacks only take notes: it must not be called from inside them.
final class Connector {
    private let io: LoopIO
    private let origin: Origin
    private let proxy: Origin?
    private let tls: TLSContext?
    private let maxConnecting: Int
    private let maxWaiting: Int
    private let multi: UnsafeMutableRawPointer
    /// Sockets that libcurl is waiting for.
    private var watches: [Int32: SocketWatch] = [:]
    /// By handle, what libcurl is connecting. Holds the handles' objects, whose addresses libcurl knows.
    private var connecting: [UnsafeMutableRawPointer: ConnectAttempt] = [:]
    private var handshaking = 0
    private var line = WaitingLine()
    private var isRefillDue = false
    private var isActionDue = false
    private var timer: LoopTimer?

    init(io: LoopIO, origin: Origin, configuration: ClientConfiguration) throws(ClientConfigurationError) {
        // A proxy with TLS of its own would keep libcurl between us and the socket.
        if let proxy = configuration.proxy, proxy.scheme != .http || !proxy.pathPrefix.isEmpty {
            throw ClientConfigurationError("the proxy must be http://host:port")
        }
        tls = origin.scheme == .https ? try TLSContext(caFile: configuration.caFile) : nil
        guard let multi = curl_multi_init() else { throw ClientConfigurationError("libcurl is out of memory") }
        self.multi = multi
        self.io = io
        self.origin = origin
        proxy = configuration.proxy
        maxConnecting = max(1, configuration.maxConnecting)
        maxWaiting = configuration.maxWaiting
        timer = LoopTimer { [unowned self] in actOnTime() }
        clibcurl_multi_set_callbacks(
            multi,
            { _, socket, what, context, _ in
                guard let context else { return 0 }
                Unmanaged<Connector>.fromOpaque(context)._withUnsafeGuaranteedRef { $0.watch(socket, what) }
                return 0
            },
            { _, milliseconds, context in
                guard let context else { return 0 }
                Unmanaged<Connector>.fromOpaque(context)._withUnsafeGuaranteedRef { $0.note(delay: milliseconds) }
                return 0
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    /// Every attempt holds its connector, so none is under way here.
    deinit {
        // Before the sockets are closed: a descriptor that is no longer open cannot be taken out of the poller, and one
        // that a starting process has a copy of would be reported on for ever.
        for watch in watches.values { io.deregister(watch, close: false) }
        if let timer { io.cancel(timer) }
        // Cleaning up may call back, which must not arm what nobody would disarm.
        clibcurl_multi_set_callbacks(multi, nil, nil, nil)
        curl_multi_cleanup(multi)
    }

    /// Connections being made, TLS handshakes included.
    var activeCount: Int { connecting.count + handshaking }
    /// Attempts in line.
    var waitingCount: Int { line.count }
    /// Sockets that libcurl is waiting for.
    var watchedCount: Int { watches.count }

    /// Begins to connect, or waits in line for it. The completion is never called before this has returned.
    /// - Parameter deadline: when the caller will cancel, in the loop's milliseconds.
    func connect(deadline: Int64, completion: @escaping ConnectAttempt.Completion) -> ConnectAttempt {
        let attempt = ConnectAttempt(connector: self, now: io.now, deadline: deadline, completion: completion)
        if line.count >= maxWaiting {
            attempt.enter(.ended)
            io.atEndOfTurn { attempt.end(.failure(.crowded)) }
        } else {
            line.append(attempt)
            refillSoon()
        }
        return attempt
    }

    func cancel(_ attempt: ConnectAttempt) {
        switch attempt.phase {
        case .waiting:
            attempt.enter(.ended)
            line.removeEnded()
        case .connecting(let handle):
            attempt.enter(.ended)
            release(handle)
            refillSoon()
        case .handshaking(let link):
            attempt.enter(.ended)
            handshaking -= 1
            link.close()
            refillSoon()
        case .ended:
            break
        }
    }

    /// Goes on with a TLS handshake.
    func handshake(_ attempt: ConnectAttempt) {
        guard case .handshaking(let link) = attempt.phase else { return }
        let result: Result<Link, ClientError.Reason>
        switch link.handshake() {
        case .blocked: return
        case .done: result = .success(link)
        case .failed(let reason):
            link.close()
            result = .failure(.tls(reason))
        }
        handshaking -= 1
        refillSoon()
        link.owner = .nobody
        attempt.end(result)
    }

    // MARK: The line

    /// Once for all that leave in one turn: when thousands of exchanges are cancelled together, those that wait are not
    /// started only to be cancelled next.
    private func refillSoon() {
        if isRefillDue { return }
        isRefillDue = true
        io.atEndOfTurn { [self] in
            isRefillDue = false
            while activeCount < maxConnecting, let attempt = line.popFirst() { start(attempt) }
        }
    }

    private func start(_ attempt: ConnectAttempt) {
        let left = attempt.deadline - io.now
        guard let handle = EasyHandle(origin: origin, proxy: proxy, milliseconds: left) else {
            attempt.end(.failure(.connect("libcurl is out of memory")))
            return
        }
        attempt.start(handle, now: io.now)
        connecting[handle.easy] = attempt
        // It asks for a call after 0 ms and starts from there.
        let code = curl_multi_add_handle(multi, handle.easy)
        if code != CURLM_OK {
            connecting[handle.easy] = nil
            attempt.end(.failure(.connect("libcurl: \(curl_multi_strerror(code).map { String(cString: $0) } ?? "")")))
        }
    }

    // MARK: libcurl

    fileprivate func act(_ socket: Int32, _ mask: Int32) {
        var running: Int32 = 0
        curl_multi_socket_action(multi, socket, mask, &running)
        // All messages first: whoever is told of an outcome may cancel others, which changes libcurl's list.
        var finished: [(attempt: ConnectAttempt, code: CURLcode)] = []
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let attempt = connecting[message.pointee.easy_handle] else { continue }
            finished.append((attempt, message.pointee.data.result))
        }
        for (attempt, code) in finished { connected(attempt, code) }
    }

    private func connected(_ attempt: ConnectAttempt, _ code: CURLcode) {
        guard case .connecting(let handle) = attempt.phase else { return }
        let descriptor = code == CURLE_OK ? handle.takeSocket() : nil
        release(handle)
        refillSoon()
        guard let descriptor else {
            let reason = handle.reason(code)
            attempt.end(.failure(reason == .connectTimedOut ? attempt.lateness(now: io.now) : reason))
            return
        }
        guard let tls else {
            let link = Link(plain: descriptor, io: io)
            io.register(link)
            attempt.end(.success(link))
            return
        }
        guard let session = TLSSession(tls, descriptor: descriptor, host: origin.host) else {
            Socket.close(descriptor)
            attempt.end(.failure(.tls("out of memory")))
            return
        }
        let link = Link(session, descriptor: descriptor, io: io)
        link.owner = .attempt(attempt)
        attempt.enter(.handshaking(link))
        handshaking += 1
        io.register(link)
        handshake(attempt)
    }

    private func release(_ handle: EasyHandle) {
        connecting[handle.easy] = nil
        curl_multi_remove_handle(multi, handle.easy)
    }

    /// From libcurl: what it waits for on a socket.
    private func watch(_ socket: Int32, _ what: Int32) {
        if what == CURL_POLL_REMOVE {
            if let watch = watches.removeValue(forKey: socket) { io.deregister(watch, close: false) }
            return
        }
        var interest: Readiness = []
        if what & CURL_POLL_IN != 0 { interest.insert(.readable) }
        if what & CURL_POLL_OUT != 0 { interest.insert(.writable) }
        if let watch = watches[socket] {
            io.modify(watch, interest)
        } else {
            let watch = SocketWatch(descriptor: socket, connector: self)
            watches[socket] = watch
            // Level-triggered: libcurl does not read until a socket is empty.
            io.register(watch, interest)
        }
    }

    /// From libcurl: when it wants to be called, in milliseconds; -1 for not at all.
    private func note(delay: Int) {
        guard let timer else { return }
        if delay < 0 {
            io.cancel(timer)
        } else if delay > 0 {
            io.schedule(timer, after: .milliseconds(delay))
        } else if !isActionDue {
            // Not through a timer, whose granularity would be added to every connect.
            isActionDue = true
            io.atEndOfTurn { [self] in
                isActionDue = false
                actOnTime()
            }
        }
    }

    private func actOnTime() {
        act(CURL_SOCKET_TIMEOUT, 0)
        // libcurl tells only changes of its deadline: one that was met a moment early by its own clock would be lost.
        var left = -1
        curl_multi_timeout(multi, &left)
        if left >= 0, !isActionDue { note(delay: left) }
    }
}

/// A socket that libcurl is connecting.
private final class SocketWatch: Channel {
    private unowned let connector: Connector

    init(descriptor: Int32, connector: Connector) {
        self.connector = connector
        super.init(descriptor: descriptor)
    }

    override func ready(_ readiness: Readiness) {
        var mask: Int32 = 0
        if readiness.contains(.readable) { mask |= CURL_CSELECT_IN }
        if readiness.contains(.writable) { mask |= CURL_CSELECT_OUT }
        if !readiness.isDisjoint(with: [.failed, .hungUp]) { mask |= CURL_CSELECT_ERR }
        connector.act(descriptor, mask)
    }
}

/// Attempts in the order they came. Those that ended while waiting are skipped, and swept out when they outnumber the rest.
private struct WaitingLine {
    private(set) var count = 0
    private var entries: [ConnectAttempt] = []
    private var first = 0

    mutating func append(_ attempt: ConnectAttempt) {
        entries.append(attempt)
        count += 1
    }

    /// One that waits has just ended.
    mutating func removeEnded() {
        count -= 1
        if entries.count - first > 2 * count + 64 { sweep() }
    }

    mutating func popFirst() -> ConnectAttempt? {
        while first < entries.count {
            let attempt = entries[first]
            first += 1
            if first > 64, first * 2 > entries.count { sweep() }
            if case .waiting = attempt.phase {
                count -= 1
                return attempt
            }
        }
        return nil
    }

    private mutating func sweep() {
        entries = entries[first...].filter { if case .waiting = $0.phase { true } else { false } }
        first = 0
    }
}
