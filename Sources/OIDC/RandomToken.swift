import COpenSSL
import PlaygroundCore

/// 256 bits that nobody can guess, as base64url: states, codes and what binds a log-in to a browser.
package struct RandomToken: Sendable {
    static let byteCount = 32
    /// Characters of its text.
    static let length = 43

    let bytes: [UInt8]

    /// A new one.
    /// - Throws: `internal` where the generator has no seed; nothing may be issued then.
    init() throws(ServiceError) {
        var isFilled = false
        bytes = [UInt8](unsafeUninitializedCapacity: Self.byteCount) { buffer, written in
            isFilled = copenssl_random(buffer.baseAddress, Self.byteCount) == 1
            written = isFilled ? Self.byteCount : 0
        }
        guard isFilled else { throw ServiceError(.internalError, cause: "RAND_bytes failed") }
    }

    /// Reads one; nil for any other text.
    package init?(_ text: String) {
        guard text.utf8.count == Self.length, let bytes = Base64.url.decode(text.utf8) else { return nil }
        self.bytes = bytes
    }

    /// What goes out.
    package var text: String { Base64.url.encode(bytes) }
    /// What is kept of it.
    var hash: [UInt8] { SHA256Digest(of: bytes.span).bytes }
}

extension RandomToken: CustomStringConvertible, CustomReflectable {
    package var description: String { "<token>" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
