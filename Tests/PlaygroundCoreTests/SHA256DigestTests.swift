import PlaygroundCore
import Testing

@Suite("SHA-256")
struct SHA256DigestTests {
    @Test(
        "of known messages is what FIPS 180-4 says",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ])
    func vectors(message: String, digest: String) {
        let bytes = SHA256Digest(of: Array(message.utf8).span).bytes
        #expect(bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == digest)
    }

    @Test(
        "gives a UUID of version 8 whose other bits are the digest's first",
        arguments: [("", "e3b0c442-98fc-8c14-9afb-f4c8996fb924"), ("abc", "ba7816bf-8f01-8fea-8141-40de5dae2223")])
    func uuid(message: String, uuid: String) {
        let digest = SHA256Digest(of: Array(message.utf8).span)
        #expect(digest.uuid.description == uuid)
    }
}
