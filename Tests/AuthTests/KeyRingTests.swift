import Foundation
import PlaygroundCore
import Testing

@testable import Auth

@Suite("SESSION_KEYS")
struct KeyRingTests {
    @Test("are read in order: the first signs, all are found")
    func order() throws {
        let ring = try KeyRing(parsing: " \(Samples.keyText("new", 1)) ,\n\(Samples.keyText("old-2.x_Y", 2))\n")
        #expect(ring.signing.id == "new")
        #expect(ring.key("old-2.x_Y") != nil)
        #expect(ring.key("ol") == nil)
    }

    @Test(
        "may be in either base64 alphabet, padded or not",
        arguments: [
            Data(repeating: 0xFB, count: 32).base64EncodedString(),
            Data(repeating: 0xFB, count: 32).base64EncodedString().replacingOccurrences(of: "=", with: ""),
            Base64.url.encode([UInt8](repeating: 0xFB, count: 32)),
            Data(repeating: 0xFB, count: 33).base64EncodedString(),
            Data(repeating: 0xFB, count: 34).base64EncodedString(),
        ])
    func alphabets(key: String) throws {
        #expect(try KeyRing(parsing: "a:\(key)").signing.id == "a")
    }

    static let good = Samples.keyText("a", 1)

    @Test(
        "are refused with the position of the entry that is wrong",
        arguments: [
            ("", 1, KeyRingError.Reason.empty), ("\(good),", 2, .empty), ("\(good),,\(Samples.keyText("b", 2))", 2, .empty),
            ("justonekey", 1, .noColon), (":\(good)", 1, .badID), ("a b:AAAA", 1, .badID), ("é:AAAA", 1, .badID),
            ("\(String(repeating: "k", count: 33)):AAAA", 1, .badID),
            ("\(good),b:not base64!", 2, .notBase64), ("\(good),b:", 2, .tooShort),
            ("b:\(Data(repeating: 1, count: 31).base64EncodedString())", 1, .tooShort),
            ("b:\(Data(repeating: 1, count: 1025).base64EncodedString())", 1, .tooLong),
            ("b:\(Data(repeating: 1, count: 32).base64EncodedString())=", 1, .notBase64),
            ("\(good),\(Samples.keyText("b", 2)),\(Samples.keyText("a", 3))", 3, .duplicateID),
            ((0..<17).map { Samples.keyText("k\($0)", 1) }.joined(separator: ","), 17, .tooMany),
        ])
    func refused(text: String, entry: Int, reason: KeyRingError.Reason) {
        #expect(throws: KeyRingError(entry: entry, reason: reason)) { try KeyRing(parsing: text) }
    }

    @Test("never show in an error, in a description or in a dump")
    func redacted() throws {
        let secret = Data((0..<31).map { UInt8($0 * 37 % 256) }).base64EncodedString()
        do {
            _ = try KeyRing(parsing: "\(secret):\(secret)")
            Issue.record("accepted")
        } catch {
            #expect(!"\(error)".contains(secret.prefix(6)) && !String(reflecting: error).contains(secret.prefix(6)))
            #expect("\(error)".contains("entry 1"))
        }
        let ring = try KeyRing(parsing: "kid:\(Data((0..<32).map { UInt8($0 * 37 % 256) }).base64EncodedString())")
        var dumped = ""
        dump(ring, to: &dumped)
        for text in ["\(ring)", String(reflecting: ring), "\(ring.signing)", String(reflecting: ring.signing), dumped] {
            #expect(!text.contains(secret.prefix(6)))
            #expect(!text.contains("0x"))
        }
    }
}
