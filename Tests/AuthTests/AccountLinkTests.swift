import PlaygroundCore
import Testing

@testable import Auth

@Suite("What a link in a mail carries")
struct AccountLinkTests {
    static let id = UUIDBytes(high: 0x0193_5000_0000_7000, low: 0x8000_0000_0000_0001)

    static func ring(_ ids: String...) throws -> KeyRing {
        try KeyRing(
            parsing: ids.map { "\($0):\(Base64.standard.encode(Array("\($0)-key-0123456789-0123456789-0123".utf8)))" }.joined(
                separator: ","))
    }

    @Test("is read again, and is the same each time it is made with the same key", arguments: AccountLink.Purpose.allCases)
    func roundTrip(purpose: AccountLink.Purpose) throws {
        let keys = try Self.ring("a", "b")
        let link = try #require(AccountLink(id: Self.id, purpose: purpose, keys: keys))
        #expect(AccountLink(id: Self.id, purpose: purpose, keys: keys) == link)
        #expect(AccountLink(presented: link.token, keys: keys) == link)
        #expect(
            AccountLink(presented: link.token, keys: try Self.ring("c", "a")) == link, "the key signs no more, and is there still"
        )
        #expect(link.token.utf8.allSatisfy { $0.isURLSafe })
    }

    @Test("differs for every purpose, key and link")
    func distinct() throws {
        var tokens: Set<String> = []
        for purpose in AccountLink.Purpose.allCases {
            for keys in [try Self.ring("a"), try Self.ring("b")] {
                for id in [Self.id, UUIDBytes(high: Self.id.high, low: Self.id.low + 1)] {
                    tokens.insert(try #require(AccountLink(id: id, purpose: purpose, keys: keys)).token.dropFirst(4).description)
                }
            }
        }
        #expect(tokens.count == AccountLink.Purpose.allCases.count * 4)
    }

    @Test("is refused when a character is changed, added or left out, and under another purpose's prefix")
    func tampered() throws {
        let keys = try Self.ring("a", "b")
        let token = try #require(AccountLink(id: Self.id, purpose: .reset, keys: keys)).token
        var forged: [String] = [token + "A", token + "=", " " + token, token + "\n", String(token.dropFirst())]
        for (index, character) in token.enumerated() {
            let place = token.index(token.startIndex, offsetBy: index)
            for other in ["A", "B", "_", "b"] where other != String(character) {
                forged.append(String(token[..<place]) + other + String(token[token.index(after: place)...]))
            }
            forged.append(String(token[..<place]))
        }
        for prefix in ["pgv_", "pgc_", "pgi_", "pga_", "pgr_", "pgl_"] { forged.append(prefix + token.dropFirst(4)) }
        for text in forged { #expect(AccountLink(presented: text, keys: keys) == nil, "\(text)") }
        #expect(AccountLink(presented: token, keys: try Self.ring("b")) == nil, "its key was removed")
    }

    @Test("is no session token, and no session token is a link")
    func otherTokens() throws {
        let keys = try Self.ring("a")
        let access = AccessTokenCodec(keys: keys)
        for purpose in AccountLink.Purpose.allCases {
            let token = try #require(AccountLink(id: Self.id, purpose: purpose, keys: keys)).token
            #expect(throws: AccessTokenCodec.Refusal.invalid) { try access.verify(token, now: 0) }
            #expect(throws: AccessTokenCodec.Refusal.invalid) { try access.verifyIgnoringExpiry(token) }
            #expect(RefreshTokenCodec(keys: keys).read(token) == nil)
        }
        let user = UserID(Self.id)
        let session = SessionID(Self.id)
        let refresh = try RefreshTokenCodec(keys: keys).issued(
            RefreshGeneration(session: session, counter: 0, nonce: UUIDBytes(high: 0, low: 0)), keyID: "a")
        for token in [access.issue(user: user, session: session, now: 0), access.issueLoad(user: user, now: 0), refresh.text] {
            #expect(AccountLink(presented: try #require(token), keys: keys) == nil)
        }
    }
}

extension UInt8 {
    /// Stands in an address, and behind its `#`, as it is.
    fileprivate var isURLSafe: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
