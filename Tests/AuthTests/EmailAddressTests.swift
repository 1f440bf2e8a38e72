import PlaygroundCore
import Testing

@testable import Auth

@Suite("E-mail addresses")
struct EmailAddressTests {
    @Test(
        "are one identity however their ASCII letters are written",
        arguments: [
            ("a@b", "a@b"), ("Ann.Example+Tag@Example.ORG", "ann.example+tag@example.org"), ("ÄÖ@ü.de", "ÄÖ@ü.de"),
            ("\u{212A}@x", "\u{212A}@x"), ("用户@例え.jp", "用户@例え.jp"),
            (String(repeating: "a", count: 252) + "@b", String(repeating: "a", count: 252) + "@b"),
        ])
    func accepted(text: String, identity: String) throws {
        #expect(try EmailAddress(parsing: text).description == identity)
    }

    @Test(
        "are refused under the field's name, and the answer repeats nothing of them",
        arguments: [
            ("", ErrorCode.tooShort), ("a@", .tooShort), ("@@", .tooShort), (String(repeating: "a", count: 253) + "@b", .tooLong),
            ("abc", .invalidValue), ("@bc", .invalidValue), ("ab@", .invalidValue), ("a@b@c", .invalidValue),
            (" a@b", .invalidValue), ("a@b ", .invalidValue), ("a b@c", .invalidValue), ("a@b\n", .invalidValue),
            ("a\u{0}@b", .invalidValue), ("a\u{7F}@b", .invalidValue), ("a\u{85}@b", .invalidValue), ("a\u{A0}@b", .invalidValue),
            ("a\u{3000}@b", .invalidValue), ("a\u{200B}@b", .invalidValue), ("a\u{202E}@b", .invalidValue),
            ("a\t@b", .invalidValue),
        ])
    func refused(text: String, code: ErrorCode) throws {
        let error = try #require(throws: ServiceError.self) { try EmailAddress(parsing: text) }
        #expect(error.code == .invalidRequest && error.errors.map(\.param) == ["email"] && error.errors.first?.code == code)
        #expect(text.count < 4 || !"\(error)".contains(text))
    }
}
