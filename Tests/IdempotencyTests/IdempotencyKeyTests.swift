import PlaygroundCore
import Testing

@testable import Idempotency

@Suite("An idempotency key")
struct IdempotencyKeyTests {
    @Test(
        "is 1 to 255 visible ASCII characters",
        arguments: ["a", "!", "~", "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", String(repeating: "k", count: 255)])
    func valid(text: String) throws {
        #expect(try IdempotencyKey(text).text == text)
    }

    @Test(
        "is nothing else, and the error names the field",
        arguments: ["", " ", "a b", "a\tb", "a\u{7f}", "é", "a\u{0}", String(repeating: "k", count: 256)])
    func invalid(text: String) {
        let error = #expect(throws: ServiceError.self) { try IdempotencyKey(text) }
        #expect(error?.code == .invalidHeader)
        #expect(error?.detail.hasPrefix("Idempotency-Key") == true)
    }

    @Test("names one completion of one user: the same each time, another one for anybody else and for any other key")
    func completions() throws {
        let (one, other) = (UserID(UUIDBytes(high: 1, low: 2)), UserID(UUIDBytes(high: 1, low: 3)))
        let key = try IdempotencyKey("key")
        #expect(key.completionID(of: one) == (try IdempotencyKey("key")).completionID(of: one))
        let ids = [
            key.completionID(of: one), key.completionID(of: other), try IdempotencyKey("Key").completionID(of: one),
            try IdempotencyKey("key2").completionID(of: one),
        ]
        #expect(Set(ids).count == ids.count)
        // printf 'completion:00000000-0000-0001-0000-000000000002:key' | sha256sum
        #expect(ids[0].description == "a2bd12bb-4eb5-874c-ad39-57581ffaaeaf")
    }
}
