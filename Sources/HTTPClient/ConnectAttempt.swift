import CLibcurl
import EventLoop
import Glibc

/// One connection being made: waiting in line, in libcurl's hands, then in its TLS handshake.
final class ConnectAttempt {
    enum Phase {
        case waiting
        case connecting(EasyHandle)
        case handshaking(Link)
        case ended
    }

    typealias Completion = (Result<Link, ClientError.Reason>) -> Void

    let connector: Connector
    /// The loop's millisecond at which the caller gives up. libcurl divides what is left among the host's addresses.
    let deadline: Int64
    fileprivate(set) var phase = Phase.waiting
    private let cameAt: Int64
    /// When its turn came.
    private var startedAt: Int64?
    private var completion: Completion?

    init(connector: Connector, now: Int64, deadline: Int64, completion: @escaping Completion) {
        self.connector = connector
        cameAt = now
        self.deadline = deadline
        self.completion = completion
    }

    /// Gives up; the completion is not called any more.
    func cancel() {
        completion = nil
        connector.cancel(self)
    }

    /// The handshake's socket has become ready.
    func handshake() { connector.handshake(self) }

    func enter(_ phase: Phase) { self.phase = phase }

    /// Its turn has come.
    func start(_ handle: EasyHandle, now: Int64) {
        startedAt = now
        enter(.connecting(handle))
    }

    /// Why its time is over: the server's fault only where it had at least half of that time, and the line the rest.
    func lateness(now: Int64) -> ClientError.Reason {
        guard let startedAt, now - startedAt >= startedAt - cameAt else { return .crowded }
        return .connectTimedOut
    }

    /// Tells the outcome, once.
    func end(_ result: Result<Link, ClientError.Reason>) {
        phase = .ended
        guard let completion else { return }
        self.completion = nil
        completion(result)
    }
}

/// libcurl's handle of one connect; the only file that calls the easy interface.
///
/// The handle belongs to its multi from ``Connector`` adding it until ``Connector`` removes it, and is freed with this object.
final class EasyHandle {
    let easy: UnsafeMutableRawPointer
    private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
    /// The socket that is ours now; libcurl must not close it.
    private var taken: Int32 = -1

    /// - Returns: nil where memory is out.
    /// - Parameter milliseconds: what libcurl may take.
    init?(origin: Origin, proxy: Origin?, milliseconds: Int64) {
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        guard let easy = clibcurl_easy_init() else {
            errorText.deallocate()
            return nil
        }
        self.easy = easy
        let target = "\(origin.bracketedHost):\(origin.port)"
        // http also for TLS origins: libcurl then speaks no TLS on the socket, and it can be taken over.
        setString(CURLOPT_URL, "http://\(target)")
        setLong(CURLOPT_CONNECT_ONLY, 1)
        setLong(CURLOPT_FRESH_CONNECT, 1)
        setLong(CURLOPT_NOSIGNAL, 1)
        // A name look-up runs in libcurl's own thread; without this, removing the handle waits for that thread.
        setLong(CURLOPT_QUICK_EXIT, 1)
        setLong(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        setLong(CURLOPT_BUFFERSIZE, 1024)
        setLong(CURLOPT_CONNECTTIMEOUT_MS, Int(max(1, milliseconds)))
        // Empty, not unset: unset means what the environment says.
        setString(CURLOPT_PROXY, proxy.map { "http://\($0.bracketedHost):\($0.port)" } ?? "")
        setString(CURLOPT_NOPROXY, "")
        setLong(CURLOPT_HTTPPROXYTUNNEL, proxy == nil ? 0 : 1)
        clibcurl_set_pointer(easy, CURLOPT_ERRORBUFFER, errorText)
        let context = Unmanaged.passUnretained(self).toOpaque()
        clibcurl_set_close_socket(easy, Self.closeSocket, context)
    }

    deinit {
        curl_easy_cleanup(easy)
        errorText.deallocate()
    }

    /// The connected socket, from now on the caller's. To be called before the handle is removed from its multi.
    func takeSocket() -> Int32? {
        var socket: curl_socket_t = -1
        guard clibcurl_get_socket(easy, &socket) == CURLE_OK, socket >= 0 else { return nil }
        taken = socket
        return socket
    }

    /// Why the connect failed. Names hosts and ports, nothing else.
    func reason(_ code: CURLcode) -> ClientError.Reason {
        if code == CURLE_OPERATION_TIMEDOUT { return .connectTimedOut }
        if errorText[0] != 0 { return .connect(String(cString: errorText)) }
        return .connect(curl_easy_strerror(code).map { String(cString: $0) } ?? "libcurl error \(code.rawValue)")
    }

    /// Called by libcurl within curl_multi_socket_action and when the handle is removed: spares the socket that was
    /// taken, closes every other one, such as those of addresses that lost the race.
    private static let closeSocket: clibcurl_close_function = { context, socket in
        guard let context else { return Glibc.close(socket) }
        return Unmanaged<EasyHandle>.fromOpaque(context)._withUnsafeGuaranteedRef { handle in
            handle.taken == socket ? 0 : Glibc.close(socket)
        }
    }

    // Setting fails only for lack of memory, and then libcurl itself fails the connect or the deadline ends it.
    private func setLong(_ option: CURLoption, _ value: Int) { clibcurl_set_long(easy, option, value) }
    private func setString(_ option: CURLoption, _ value: String) { clibcurl_set_string(easy, option, value) }
}
