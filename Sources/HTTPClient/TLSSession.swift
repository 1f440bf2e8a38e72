import COpenSSL
import EventLoop

/// What the TLS connections of one client have in common: the trusted authorities and the protocol's settings.
final class TLSContext {
    fileprivate let context: OpaquePointer

    /// - Parameter caFile: authorities (PEM) that replace the system's.
    /// - Throws: why they cannot be loaded.
    init(caFile: String?) throws(ClientConfigurationError) {
        var context: OpaquePointer?
        let reason = withReason { context = copenssl_tls_client_context(caFile, $0, $1) }
        guard let context else { throw ClientConfigurationError("the certificate authorities cannot be loaded: \(reason)") }
        self.context = context
    }

    /// The serving side, for a local upstream in tests: one certificate chain (PEM) and its key.
    init(chainFile: String, keyFile: String) throws(ClientConfigurationError) {
        var context: OpaquePointer?
        let reason = withReason { context = copenssl_tls_server_context(chainFile, keyFile, $0, $1) }
        guard let context else { throw ClientConfigurationError("the certificate cannot be loaded: \(reason)") }
        self.context = context
    }

    deinit { copenssl_tls_context_free(context) }
}

/// One connection's TLS session; the only file that calls the TLS shims.
struct TLSSession: ~Copyable {
    enum Handshake { case done, blocked, failed(String) }

    private let session: OpaquePointer

    /// - Parameter host: whom the peer's certificate must name.
    /// - Returns: nil where memory is out.
    init?(_ context: TLSContext, descriptor: Int32, host: String) {
        guard let session = copenssl_tls_connecting(context.context, descriptor, host) else { return nil }
        self.session = session
    }

    /// The serving side of a connection.
    init?(accepting context: TLSContext, descriptor: Int32) {
        guard let session = copenssl_tls_accepting(context.context, descriptor) else { return nil }
        self.session = session
    }

    deinit { copenssl_tls_session_free(session) }

    /// Tells the peer that nothing more follows. To be called before the descriptor is closed: it may belong to somebody
    /// else by the time this session is freed.
    func sayFarewell() { copenssl_tls_farewell(session) }

    func handshake() -> Handshake {
        var result: Int32 = 0
        let reason = withReason { result = copenssl_tls_handshake(session, $0, $1) }
        return result == 1 ? .done : result == 0 ? .blocked : .failed(reason)
    }

    func read(into buffer: UnsafeMutableBufferPointer<UInt8>) -> Socket.Transfer {
        let count = copenssl_tls_read(session, buffer.baseAddress, buffer.count)
        if count > 0 { return .moved(count) }
        return count == 0 ? .ended : count == Int(COPENSSL_TLS_BLOCKED) ? .blocked : .failed
    }

    func write(_ bytes: UnsafeBufferPointer<UInt8>) -> Socket.Transfer {
        let count = copenssl_tls_write(session, bytes.baseAddress, bytes.count)
        return count > 0 ? .moved(count) : count == Int(COPENSSL_TLS_BLOCKED) ? .blocked : .failed
    }
}

/// Gives a C function room for a text.
private func withReason(_ body: (UnsafeMutablePointer<CChar>?, Int) -> Void) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text in
        text.initialize(repeating: 0)
        body(text.baseAddress, text.count)
        return text.baseAddress.map { String(cString: $0) } ?? ""
    }
}
