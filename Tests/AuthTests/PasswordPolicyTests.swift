import Foundation
import PlaygroundCore
import Testing

@testable import Auth

@Suite("Which passwords may be chosen")
struct PasswordPolicyTests {
    func refusal(_ password: String) throws -> ErrorCode? {
        do {
            try PasswordPolicy.check(password, for: EmailAddress(parsing: "Somebody.Else@example.org"))
            return nil
        } catch {
            #expect(error.param == "password" && error.code == .invalidRequest)
            // The word itself stands in the text of the answer.
            #expect(password == "password" || !"\(error)".contains(password))
            return error.errors.first?.code
        }
    }

    @Test(
        "8 to 128 Unicode scalars, of whatever kind",
        arguments: [
            "correct horse battery staple", "7f3k9vqz", "zrtgwpbn", "94170386", "        x7b", "пятьсотсорок", "🦊🐙🦑🐊🦉🐢🦀🐝",
            "x7\u{0}bq91zr", " leading and trailing ", "tr0ub4dor&3", "vO9#kQ2!", "e\u{301}dfk23lq",
            String(repeating: "kv9 ", count: 30) + "8 others",
        ])
    func accepted(password: String) throws {
        #expect(try refusal(password) == nil)
    }

    @Test(
        "a wrong length is told",
        arguments: [
            ("", ErrorCode.tooShort), ("7f3k9vq", .tooShort), ("🦊🐙🦑🐊🦉🐢🦀", .tooShort),
            (String(repeating: "kv9x", count: 32) + "y", .tooLong), (String(repeating: "é", count: 129), .tooLong),
        ])
    func length(password: String, code: ErrorCode) throws {
        #expect(try refusal(password) == code)
    }

    @Test(
        "what attackers try first is refused",
        arguments: [
            "password", "Password1", "P@ssw0rd!", "PASSWORD123", "drowssap", "12345678", "1234567890", "87654321", "qwertyuiop",
            "1q2w3e4r5t", "qazwsxedc", "zaq12wsx", "1qaz2wsx3edc", "11111111", "12341234", "abcabcabc", "abcdefgh", "11223344",
            "asdfghjkl;", "01012011", "31121999", "19991231", "20002001", "iloveyou", "ILoveYou2", "michael1", "Jordan23",
            "1michael",
            "liverpoo", "summer2024", "Winter2025!", "trustno1", "letmein1", "letmein!", "monkeymonkey", "sunsh1ne",
            "dragon123456",
            "welcome1", "admin123", "qwerty123", "playground", "Playground1", "playground2025", "completions!", "qwertyqwerty",
            "passw0rd", "5uperman", "00000000000000000000", "abcd1234", "a1234567", "123456qq", "football#1", "987654321a",
        ])
    func common(password: String) throws {
        #expect(try refusal(password) == .invalidValue)
    }

    @Test("more than 3,000 common ones are refused before any suffix is counted")
    func breadth() {
        let lists = [
            CommonPasswordWords.phrases, CommonPasswordWords.names, CommonPasswordWords.things, CommonPasswordWords.product,
        ]
        let words = Set(lists.flatMap { $0.split(whereSeparator: \.isWhitespace).map(String.init) })
        let eight = words.filter { $0.utf8.count >= 8 }
        let shorter = words.filter { (5..<8).contains($0.utf8.count) }.map { $0 + "123" }
        #expect(eight.count + shorter.count > 3_000)
        for password in Array(eight) + shorter { #expect(CommonPasswords.contains(password), "\(password)") }
    }

    @Test("the account's own address is no password", arguments: ["Somebody.Else@example.org", "somebody.else", "SOMEBODY.ELSE"])
    func address(password: String) throws {
        #expect(try refusal(password) == .invalidValue)
    }

    @Test("random passwords are not refused by accident")
    func falseRefusals() {
        let alphabet = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
        let refused = (0..<500).filter { _ in
            CommonPasswords.contains(String((0..<10).map { _ in alphabet[Int.random(in: 0..<alphabet.count)] }))
        }
        #expect(refused.count <= 1)
    }

    @Test("a very long password is judged at once")
    func long() {
        #expect(CommonPasswords.contains(String(repeating: "ab", count: 5_000)))
        #expect(!CommonPasswords.contains(String(repeating: "kv9xq", count: 5_000)))
    }

    // A sample of outside lists, which is no part of the project.
    @Test("every password of a sample of leaked ones is refused", .enabled(if: Samples.corpora != nil))
    func sample() throws {
        let url = try #require(Samples.corpora).appendingPathComponent("strings/common-passwords-sample.txt")
        let sample = try String(contentsOf: url, encoding: .utf8).split(whereSeparator: \.isNewline).map(String.init)
        #expect(sample.count == 200)
        #expect(sample.filter { !CommonPasswords.contains($0) } == [])
    }
}
