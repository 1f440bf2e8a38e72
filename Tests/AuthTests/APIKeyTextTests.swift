import PlaygroundCore
import Testing

@testable import Auth

@Suite("The text of an API key")
struct APIKeyTextTests {
    static let id = APIKeyID(UUIDBytes(high: 0x019F_5D3C_0B7E_7C2A, low: 0x9A41_6F2F_0F6B_1C55))
    /// Made by another program, with zlib's CRC-32.
    static let known = "pgk_033oxeAtfvWqXZN3tefNkzabcdefghijklmnopqrstuvwxyz03bV1yy"

    static func make(_ id: APIKeyID = id) throws -> (text: String, key: APIKeyText) {
        let (text, key) = try APIKeyText.make(id: id)
        return (text.withBytes { String(decoding: $0, as: UTF8.self) }, key)
    }

    @Test("begins with what anybody may know, and is read again with its id")
    func roundTrip() throws {
        let (text, key) = try Self.make()
        #expect(text.utf8.count == 59 && APIKeyText.length == 59)
        #expect(text.wholeMatch(of: /pgk_[0-9A-Za-z]{55}/) != nil)
        #expect(text.hasPrefix(APIKeyText.name(of: Self.id)))
        #expect(APIKeyText(text) == key && key.id == Self.id)
        for bits in [(UInt64(0), UInt64(0)), (.max, .max), (0, 1), (1 << 63, 0)] {
            let id = APIKeyID(UUIDBytes(high: bits.0, low: bits.1))
            #expect(APIKeyText(try Self.make(id).text)?.id == id)
        }
    }

    @Test("has the checksum that other programs compute")
    func checksum() {
        #expect(APIKeyText(Self.known)?.id == Self.id)
    }

    @Test("has one spelling: whatever is changed, cut, padded or spelt otherwise is no key")
    func spellings() throws {
        let (text, _) = try Self.make()
        let bytes = Array(text.utf8)
        for place in bytes.indices {
            for bit in 0..<8 {
                var changed = bytes
                changed[place] ^= 1 << bit
                #expect(changed.withUnsafeBufferPointer { APIKeyText($0) } == nil, "\(place) \(bit)")
            }
            #expect(bytes[..<place].withUnsafeBufferPointer { APIKeyText($0) } == nil)
        }
        for other in [text + "0", text + "=", " " + text, text + "\n", text.uppercased(), "pgk_", "", "PGK_" + text.dropFirst(4)]
        {
            #expect(APIKeyText(other) == nil)
        }
        // An id of more than 128 bits, with a checksum that fits.
        #expect(APIKeyText("pgk_7n42DGM5Tflk9n8mt7Fhc8abcdefghijklmnopqrstuvwxyz02smeAI") == nil)
    }

    @Test("is never given twice, and its secret's characters are evenly spread")
    func random() throws {
        var seen: Set<String> = []
        var counts: [Character: Int] = [:]
        let keys = 5_000
        for _ in 0..<keys {
            let secret = try Self.make().text.dropFirst(4 + 22).prefix(27)
            seen.insert(String(secret))
            for character in secret { counts[character, default: 0] += 1 }
        }
        #expect(seen.count == keys)
        let expected = Double(keys * 27) / 62
        let chiSquare = counts.values.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
        // 61 degrees of freedom: 111.7 is exceeded once in 10,000 times.
        #expect(counts.count == 62 && chiSquare < 111.7)
    }

    @Test("is shown by no description of what holds it")
    func hidden() throws {
        let (text, key) = try APIKeyText.make(id: Self.id)
        let plain = text.withBytes { String(decoding: $0, as: UTF8.self) }
        let secret = plain.dropFirst(26)
        for shown in ["\(text)", "\(key)", String(reflecting: key), String(reflecting: text)] { #expect(!shown.contains(secret)) }
        #expect(key.matches(key.hash.bytes) && !key.matches([]) && !key.matches([UInt8](repeating: 0, count: 32)))
    }
}
