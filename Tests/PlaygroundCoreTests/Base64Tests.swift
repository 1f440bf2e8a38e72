import Testing

@testable import PlaygroundCore

@Suite("Base64 without padding")
struct Base64Tests {
    @Test(
        "gives the vectors of RFC 4648, less their padding",
        arguments: [
            ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
        ])
    func vectors(plain: String, text: String) {
        #expect(Base64.url.encode(plain.utf8) == text)
        #expect(Base64.url.decode(text.utf8) == Array(plain.utf8))
        #expect(Base64.standard.decode(text.utf8) == Array(plain.utf8))
    }

    @Test("returns every byte string it was given", arguments: 0..<70)
    func roundTrip(count: Int) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 97 &+ count &* 31) }
        #expect(Base64.url.decode(Base64.url.encode(bytes).utf8) == bytes)
        #expect(Base64.standard.decode(Base64.standard.encode(bytes).utf8) == bytes)
    }

    @Test("has two alphabets that are not mixed")
    func alphabets() {
        #expect(Base64.url.encode([0xFB, 0xFF]) == "-_8")
        #expect(Base64.standard.encode([0xFB, 0xFF]) == "+/8")
        #expect(Base64.url.decode("+/8".utf8) == nil)
        #expect(Base64.standard.decode("-_8".utf8) == nil)
    }

    @Test(
        "refuses padding, white space, impossible lengths and foreign characters",
        arguments: [
            "Zg==", "Zm8=", "Zm9v=", " Zm9v", "Zm9v ", "Zm 9v", "Zm9v\n", "Z", "Zm9vY", "Zm9é", "Zm9v\u{0}", "Zm9v.",
        ])
    func refused(text: String) {
        #expect(Base64.url.decode(text.utf8) == nil)
    }

    @Test("refuses last characters whose unused bits are set, so that a byte string has one text")
    func trailingBits() {
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        #expect(alphabet.filter { Base64.url.decode("A\($0)".utf8) != nil } == "AQgw")
        #expect(alphabet.filter { Base64.url.decode("AA\($0)".utf8) != nil } == "AEIMQUYcgkosw048")
    }
}
