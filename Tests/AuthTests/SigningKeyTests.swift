import Foundation
import Testing

@testable import Auth

@Suite("HMAC-SHA-256")
struct SigningKeyTests {
    func tag(key: [UInt8], message: [UInt8]) throws -> [UInt8] {
        let key = try #require(SigningKey(id: "k", bytes: key))
        return [UInt8](unsafeUninitializedCapacity: 32) { tag, count in
            if let start = tag.baseAddress, message.withUnsafeBufferPointer({ key.sign($0, into: start) }) { count = 32 }
        }
    }

    static let rfc4231: [(key: [UInt8], message: [UInt8], tag: String)] = [
        (
            .init(repeating: 0x0B, count: 20), Array("Hi There".utf8),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            .init(repeating: 0xAA, count: 20), .init(repeating: 0xDD, count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            Array(1...25), .init(repeating: 0xCD, count: 50),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
        ),
        (.init(repeating: 0x0C, count: 20), Array("Test With Truncation".utf8), "a3b6167473100ee06e0c796c2955552b"),
        (
            .init(repeating: 0xAA, count: 131), Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
        (
            .init(repeating: 0xAA, count: 131),
            Array(
                ("This is a test using a larger than block-size key and a larger than block-size data. "
                    + "The key needs to be hashed before being used by the HMAC algorithm.").utf8),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"
        ),
    ]

    @Test("gives the tags of RFC 4231", arguments: rfc4231.indices)
    func vectors(index: Int) throws {
        let vector = Self.rfc4231[index]
        #expect(try tag(key: vector.key, message: vector.message).starts(with: vector.tag.hexBytes))
    }

    @Test("verifies its own tags, and none with a bit changed")
    func verifies() throws {
        let key = try #require(SigningKey(id: "k", bytes: .init(repeating: 3, count: 32)))
        let message: [UInt8] = Array("message".utf8)
        var tag = try self.tag(key: .init(repeating: 3, count: 32), message: message)
        #expect(message.withUnsafeBufferPointer { key.verify($0, tag: tag) })
        for bit in 0..<256 {
            tag[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!message.withUnsafeBufferPointer { key.verify($0, tag: tag) })
            tag[bit / 8] ^= 1 << UInt8(bit % 8)
        }
    }

    // Outside vectors (C2SP/wycheproof), which are no part of the project.
    @Test("agrees with Wycheproof's vectors", .enabled(if: Samples.corpora != nil))
    func wycheproof() throws {
        struct File: Decodable {
            struct Group: Decodable {
                struct Case: Decodable { let tcId: Int, key: String, msg: String, tag: String, result: String }
                let tagSize: Int, tests: [Case]
            }
            let testGroups: [Group]
        }
        let url = try #require(Samples.corpora).appendingPathComponent("hmac-sha256/wycheproof_hmac_sha256_test.json")
        let file = try JSONDecoder().decode(File.self, from: Data(contentsOf: url))
        var checked = 0
        for group in file.testGroups {
            for test in group.tests {
                let tag = try tag(key: test.key.hexBytes, message: test.msg.hexBytes).prefix(group.tagSize / 8)
                #expect((Array(tag) == test.tag.hexBytes) == (test.result == "valid"), "case \(test.tcId)")
                checked += 1
            }
        }
        #expect(checked == 174)
    }
}
