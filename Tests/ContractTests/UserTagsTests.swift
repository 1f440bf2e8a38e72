import Auth
import Foundation
import PlaygroundCore
import Testing

@testable import APIServer

@Suite("The names of users at the upstream")
struct UserTagsTests {
    private func ring(_ byte: UInt8) throws -> KeyRing {
        try KeyRing(parsing: "k:" + Data(repeating: byte, count: 32).base64EncodedString())
    }

    @Test("are the same for a user while a key signs, differ between users, and change with the key")
    func names() throws {
        let keys = SessionKeys(try ring(1))
        let (tags, others) = (UserTags(keys: keys), UserTags(keys: SessionKeys(try ring(1))))
        // Ids with equal last bits have one place in the memory.
        let users = [UserID(UUIDBytes(high: 1, low: 5)), UserID(UUIDBytes(high: 2, low: 5)), UserID(UUIDBytes(high: 1, low: 6))]
        let names = users.map { tags.tag($0) }
        #expect(Set(names).count == 3)
        #expect(users.map { tags.tag($0) } == names)
        #expect(users.map { others.tag($0) } == names)

        keys.replace(with: try ring(2))
        let replaced = users.map { tags.tag($0) }
        #expect(Set(replaced + names).count == 6)
        #expect(users.map { tags.tag($0) } == replaced)
    }
}
