import COpenSSL
import PlaygroundCore

/// One HMAC-SHA-256 key and its id. The key is hashed into its pads at once, and its bytes are not kept;
/// however it is printed, only the type's name shows.
package final class SigningKey: Sendable {
    /// Bytes of a tag.
    package static let tagLength = Int(COPENSSL_SHA256_LENGTH)

    /// Names the key inside tokens; no secret.
    package let id: String
    // Never written after init, and copenssl_hmac_sign only reads it.
    private nonisolated(unsafe) let key: OpaquePointer

    /// - Parameter bytes: any length; `KeyRing` asks for 32 at least.
    /// Nil only where memory is out.
    package init?(id: String, bytes: [UInt8]) {
        guard let key = copenssl_hmac_key_new(bytes, bytes.count) else { return nil }
        self.id = id
        self.key = key
    }

    deinit { copenssl_hmac_key_free(key) }

    /// Writes the tag of `message` to `tag`, which has room for 32 bytes. False only where OpenSSL fails; the tag is void then.
    package func sign(_ message: UnsafeBufferPointer<UInt8>, into tag: UnsafeMutablePointer<UInt8>) -> Bool {
        copenssl_hmac_sign(key, message.baseAddress, message.count, tag) == 1
    }

    /// A keyed hash of a text: 22 characters that stand for it wherever it is not to be known. What it is for has to stand in front of
    /// the text, so that no two uses agree. Nil only where OpenSSL fails.
    package func name(of text: String) -> String? {
        var text = text
        let tag = text.withUTF8 { text in
            [UInt8](unsafeUninitializedCapacity: Self.tagLength) { tag, written in
                guard let start = tag.baseAddress, sign(text, into: start) else { return }
                written = Self.tagLength
            }
        }
        return tag.count == Self.tagLength ? Base64.url.encode(tag.span.extracting(0..<16)) : nil
    }

    /// Whether `tag` (32 bytes) is the tag of `message`, in a time that does not tell how much of it was right.
    package func verify(_ message: UnsafeBufferPointer<UInt8>, tag: UnsafePointer<UInt8>) -> Bool {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.tagLength) { expected in
            guard let start = expected.baseAddress, sign(message, into: start) else { return false }
            return copenssl_equal(start, tag, Self.tagLength) == 1
        }
    }
}

extension SigningKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "SigningKey(redacted)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
