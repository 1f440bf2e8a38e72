import Foundation
import PlaygroundCore
import StrictJSON
import TestSupport
import Testing

@testable import OIDC

/// Claims of a good token, changed by a case: members are texts of JSON.
private func claims(_ changes: [(String, String?)] = [], adding extra: String = "") -> String {
    var members: [(String, String)] = [
        ("iss", #""https://issuer.example""#), ("sub", #""subject-1""#), ("aud", #""client""#), ("exp", "1000300"),
        ("iat", "1000000"), ("nonce", #""the-nonce""#),
    ]
    for (name, value) in changes {
        members.removeAll { $0.0 == name }
        if let value { members.append((name, value)) }
    }
    return "{" + members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + extra + "}"
}

private struct Expectation: Sendable {
    let name: String
    var header: String?
    var payload = Array(claims().utf8)
    var key = "rsa"
    var algorithm: String?
    /// Nil: it is believed.
    let refusal: IDTokenRefusal?

    init(_ name: String, _ changes: [(String, String?)] = [], adding extra: String = "", _ refusal: IDTokenRefusal? = nil) {
        self.name = name
        self.refusal = refusal
        payload = Array(claims(changes, adding: extra).utf8)
    }

    init(_ name: String, header: String, key: String = "rsa", algorithm: String? = nil, _ refusal: IDTokenRefusal? = nil) {
        self.name = name
        self.header = header
        self.key = key
        self.algorithm = algorithm
        self.refusal = refusal
    }

    init(_ name: String, payload: [UInt8], _ refusal: IDTokenRefusal) {
        self.name = name
        self.payload = payload
        self.refusal = refusal
    }
}

private let now: Int64 = 1_000_010

private let expectations: [Expectation] = [
    // What is signed how.
    Expectation("RS256"),
    Expectation("ES256", header: #"{"alg":"ES256","kid":"p256"}"#, key: "p256"),
    Expectation("EdDSA", header: #"{"alg":"EdDSA","kid":"ed25519"}"#, key: "ed25519"),
    Expectation("no key id, so every key of the algorithm is tried", header: #"{"alg":"RS256"}"#),
    Expectation("a media type in other letters", header: #"{"alg":"RS256","kid":"rsa","typ":"jwt"}"#),
    Expectation(
        "addresses of keys are not looked at",
        header: #"{"alg":"RS256","kid":"rsa","jku":"https://evil.example","x5u":"https://evil.example"}"#),
    Expectation("a key id of another key", header: #"{"alg":"RS256","kid":"other"}"#, .badSignature),
    Expectation("a key id that nobody has", header: #"{"alg":"RS256","kid":"new"}"#, .unknownKey),
    Expectation("signed by somebody else", header: #"{"alg":"RS256"}"#, key: "small", .unknownKey),
    Expectation("a key of 1024 bits, though in the set", header: #"{"alg":"RS256","kid":"small"}"#, key: "small", .unknownKey),
    Expectation("RS384", header: #"{"alg":"RS384","kid":"rsa"}"#, algorithm: "RS384", .algorithmNotAllowed),
    Expectation("PS256", header: #"{"alg":"PS256","kid":"rsa"}"#, algorithm: "PS256", .algorithmNotAllowed),
    Expectation("ES384", header: #"{"alg":"ES384","kid":"p384"}"#, key: "p384", .algorithmNotAllowed),
    Expectation("HS256", header: #"{"alg":"HS256"}"#, key: "oct:client-secret", .algorithmNotAllowed),
    Expectation("none", header: #"{"alg":"none"}"#, .algorithmNotAllowed),
    Expectation("None", header: #"{"alg":"None"}"#, .algorithmNotAllowed),
    Expectation("the algorithm in small letters", header: #"{"alg":"rs256"}"#, .algorithmNotAllowed),
    Expectation("no algorithm", header: #"{"kid":"rsa"}"#, .badHeader),
    Expectation("an algorithm that is no string", header: #"{"alg":["RS256"]}"#, .badHeader),
    Expectation("an algorithm of another key's kind", header: #"{"alg":"RS256","kid":"p256"}"#, key: "p256", .unknownKey),
    Expectation("an algorithm twice", header: #"{"alg":"RS256","alg":"RS256","kid":"rsa"}"#, .badHeader),
    Expectation("a key id twice", header: #"{"alg":"RS256","kid":"rsa","kid":"rsa"}"#, .badHeader),
    Expectation("a key id that is a number", header: #"{"alg":"RS256","kid":1}"#, .badHeader),
    Expectation("a header that is no object", header: #"["RS256"]"#, .badHeader),
    Expectation("critical extensions", header: #"{"alg":"RS256","kid":"rsa","crit":["exp"],"exp":1}"#, .extensionNotSupported),
    Expectation(
        "an empty list of critical extensions", header: #"{"alg":"RS256","kid":"rsa","crit":[]}"#, .extensionNotSupported),
    Expectation("a payload that is not encoded", header: #"{"alg":"RS256","kid":"rsa","b64":false}"#, .extensionNotSupported),
    Expectation(
        "a key of its own in the header", header: #"{"alg":"RS256","jwk":{"kty":"RSA","n":"AQAB","e":"AQAB"}}"#, key: "small",
        .unknownKey),
    Expectation("an access token", header: #"{"alg":"RS256","kid":"rsa","typ":"at+jwt"}"#, .wrongType),
    Expectation("a logout token", header: #"{"alg":"RS256","kid":"rsa","typ":"logout+jwt"}"#, .wrongType),
    Expectation("a type that is no string", header: #"{"alg":"RS256","kid":"rsa","typ":null}"#, .badHeader),
    // Who and for whom.
    Expectation("another issuer", [("iss", #""https://evil.example""#)], .wrongIssuer),
    Expectation("the issuer and a slash", [("iss", #""https://issuer.example/""#)], .wrongIssuer),
    Expectation("the issuer in capitals", [("iss", #""https://ISSUER.example""#)], .wrongIssuer),
    Expectation("no issuer", [("iss", nil)], .wrongIssuer),
    Expectation("issuers", [("iss", #"["https://issuer.example"]"#)], .wrongIssuer),
    Expectation("another audience", [("aud", #""other""#)], .wrongAudience),
    Expectation("no audience", [("aud", nil)], .wrongAudience),
    Expectation("an empty list of audiences", [("aud", "[]")], .wrongAudience),
    Expectation("an audience that is no string", [("aud", #"["client",1]"#)], .wrongAudience),
    Expectation("an audience that only begins like ours", [("aud", #""client2""#)], .wrongAudience),
    Expectation("one audience in a list", [("aud", #"["client"]"#)]),
    Expectation("the audience of the app", [("aud", #""app.ios""#)]),
    Expectation("several audiences and no party", [("aud", #"["client","other"]"#)], .wrongParty),
    Expectation("several audiences, issued to us", [("aud", #"["client","other"]"#), ("azp", #""client""#)]),
    Expectation("several audiences, issued to our app", [("aud", #"["client","app.ios"]"#), ("azp", #""app.ios""#)]),
    Expectation("several audiences, issued to another", [("aud", #"["client","other"]"#), ("azp", #""other""#)], .wrongParty),
    Expectation("one audience, issued to another", [("azp", #""other""#)], .wrongParty),
    Expectation("a party that is no string", [("azp", #"["client"]"#)], .wrongParty),
    Expectation("no subject", [("sub", nil)], .badSubject),
    Expectation("an empty subject", [("sub", #""""#)], .badSubject),
    Expectation("a subject that is a number", [("sub", "7")], .badSubject),
    Expectation("a subject of 255 characters", [("sub", "\"\(String(repeating: "s", count: 255))\"")]),
    Expectation("a subject of 256 characters", [("sub", "\"\(String(repeating: "s", count: 256))\"")], .badSubject),
    Expectation("a subject with a line end", [("sub", #""a\nb""#)], .badSubject),
    Expectation("a subject that is not ASCII", [("sub", #""é""#)], .badSubject),
    // When.
    Expectation("expired within the leeway", [("exp", "999981")]),
    Expectation("expired", [("exp", "999980")], .expired),
    Expectation("no end", [("exp", nil)], .badClaims),
    Expectation("an end that is a string", [("exp", #""1000300""#)], .badClaims),
    Expectation("an end that is null", [("exp", "null")], .badClaims),
    Expectation("an end with a fraction", [("exp", "1000300.5")]),
    Expectation("an end beyond all numbers", [("exp", "1e400")], .badClaims),
    Expectation("an end before 1970", [("exp", "-1")], .badClaims),
    Expectation("issued just ahead of our clock", [("iat", "1000040")]),
    Expectation("issued in the future", [("iat", "1000041")], .notYetValid),
    Expectation("issued days ago", [("iat", "900000")], .tooOld),
    Expectation("not said when it was issued", [("iat", nil)], .badClaims),
    Expectation("issued at a string", [("iat", #""1000000""#)], .badClaims),
    Expectation("not valid yet", [("nbf", "1000041")], .notYetValid),
    Expectation("valid from just now", [("nbf", "1000040")]),
    Expectation("valid from a string", [("nbf", #""0""#)], .badClaims),
    // Which log-in.
    Expectation("no nonce", [("nonce", nil)], .wrongNonce),
    Expectation("another nonce", [("nonce", #""the-nonce2""#)], .wrongNonce),
    Expectation("a nonce that is a number", [("nonce", "1")], .badClaims),
    Expectation("a hashed nonce where it has to be plain", [("nonce", "\"\(hashedNonce)\"")], .wrongNonce),
    // Its form.
    Expectation("a claim twice", adding: #","sub":"subject-1""#, .badClaims),
    Expectation("a claim that we do not know, twice", adding: #","x":1,"x":1"#, .badClaims),
    Expectation("claims that are no object", payload: Array(#"["iss"]"#.utf8), .badClaims),
    Expectation("claims that are no JSON", payload: Array("iss".utf8), .badClaims),
    Expectation("no claims", payload: [], .badClaims),
    Expectation("claims in UTF-16", payload: claims().utf16.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }, .badClaims),
    Expectation("claims behind a byte order mark", payload: [0xEF, 0xBB, 0xBF] + Array(claims().utf8), .badClaims),
    Expectation(
        "claims that are not UTF-8", payload: Array(claims().utf8.dropLast()) + Array(#","x":""#.utf8) + [0xFF, 0x22, 0x7D],
        .badClaims),
    Expectation("something behind the claims", payload: Array((claims() + "{}").utf8), .badClaims),
    Expectation("an e-mail address that is a number", [("email", "1")], .badClaims),
    Expectation("a verification that is a number", [("email_verified", "1")], .badClaims),
    Expectation("a verification that is another word", [("email_verified", #""yes""#)], .badClaims),
    Expectation("too long", adding: ",\"x\":\"\(String(repeating: "x", count: 16_000))\"", .tooLong),
]

private let hashedNonce = "1968c4e0ab4485035285e7222c45520ca298b5adfeb0527fdb345c6b1b41caab"

/// Signed once for all tests here.
private let signatures = Result {
    try SignedTokens(
        expectations.map {
            SignedTokens.Case($0.name, header: $0.header, bytes: $0.payload, key: $0.key, algorithm: $0.algorithm)
        }
            + [
                SignedTokens.Case(
                    "person", payload: claims([("email", #""Ann@example.org""#), ("email_verified", #""true""#), ("x", "[1]")])),
                SignedTokens.Case("unverified", payload: claims([("email", #""a@b.c""#), ("email_verified", #""false""#)])),
                SignedTokens.Case("silent", payload: claims([("email", #""a@b.c""#)])),
                SignedTokens.Case("boolean", payload: claims([("email", #""a@b.c""#), ("email_verified", "true")])),
                SignedTokens.Case(
                    "hexadecimal",
                    payload: claims([("nonce", "\"\(SHA256Digest(of: Array("raw nonce".utf8).span).bytes.hexadecimal)\"")])),
                SignedTokens.Case(
                    "base64url",
                    payload: claims([
                        ("nonce", "\"\(Base64.url.encode(SHA256Digest(of: Array("raw nonce".utf8).span).bytes))\"")
                    ])),
            ])
}

@Suite("An ID token that others signed")
struct IDTokenTests {
    private static let rules = IDTokenRules(issuer: "https://issuer.example", audiences: ["client", "app.ios"])
    private static let names = ["rsa", "other", "small", "p256", "p384", "ed25519"]
    private static let keys = (try? signatures.get())?.set(names) ?? JSONWebKeySet([])

    private func verify(
        _ token: String, keys: JSONWebKeySet? = nil, nonce: IDTokenRules.Nonce = .plain("the-nonce")
    ) throws(IDTokenRefusal) -> IDToken {
        try Self.rules.verify(token, keys: keys ?? Self.keys, nonce: nonce, now: now)
    }

    @Test("is believed or refused, each for its reason")
    func verdicts() async throws {
        let signed = try await offPool { try signatures.get() }
        #expect(signed.set(Self.names).count == 4, "of six keys one is too short and one on another curve")
        for expectation in expectations {
            let token = signed[expectation.name]
            #expect(!token.isEmpty)
            if let refusal = expectation.refusal {
                #expect(throws: refusal, "\(expectation.name)") { try verify(token) }
            } else {
                #expect(throws: Never.self, "\(expectation.name)") { try verify(token) }
            }
        }
    }

    @Test("tells who it is about; an e-mail address counts as verified only where that is said, in either form")
    func contents() async throws {
        let signed = try await offPool { try signatures.get() }
        let person = try verify(signed["person"])
        #expect(person.issuer == "https://issuer.example" && person.subject == "subject-1")
        #expect(person.email == "Ann@example.org" && person.isEmailVerified)
        #expect(try !verify(signed["unverified"]).isEmailVerified)
        #expect(try !verify(signed["silent"]).isEmailVerified)
        #expect(try verify(signed["boolean"]).isEmailVerified)
    }

    @Test(
        "bears the nonce itself or its hash, where an app hands the hash to the provider",
        arguments: ["hexadecimal", "base64url"])
    func hashedNonces(_ form: String) async throws {
        let signed = try await offPool { try signatures.get() }
        #expect(throws: Never.self) { try verify(signed[form], nonce: .plainOrHashed("raw nonce")) }
        #expect(throws: IDTokenRefusal.wrongNonce) { try verify(signed[form], nonce: .plainOrHashed("raw nonc")) }
        #expect(throws: IDTokenRefusal.wrongNonce) { try verify(signed[form], nonce: .plain("raw nonce")) }
        #expect(throws: Never.self) { try verify(signed["RS256"], nonce: .plainOrHashed("the-nonce")) }
    }

    @Test("has one spelling: no change of a character, no cut, no padding, no white space is believed")
    func spelling() async throws {
        let token = try await offPool { try signatures.get() }["ES256"]
        let bytes = Array(token.utf8)
        for index in bytes.indices {
            var changed = bytes
            changed[index] = changed[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(throws: IDTokenRefusal.self, "at \(index)") { try verify(String(decoding: changed, as: UTF8.self)) }
            #expect(throws: IDTokenRefusal.self) { try verify(String(decoding: bytes[..<index], as: UTF8.self)) }
        }
        for text in [token + "=", token + "==", token + ".", " " + token, token + "\n", token + ".AAAA", "." + token] {
            #expect(throws: IDTokenRefusal.malformed) { try verify(text) }
        }
    }

    @Test("is checked with keys that are meant for it")
    func keyPurposes() async throws {
        let signed = try await offPool { try signatures.get() }
        let token = signed["RS256"]
        let changes: [(String, (inout JSONObject) -> Void)] = [
            ("for encryption", { $0["use"] = .string("enc") }), ("for signing", { $0["key_ops"] = .array([.string("sign")]) }),
            ("for another algorithm", { $0["alg"] = .string("RS512") }), ("of a weak exponent", { $0["e"] = .string("AQ") }),
            ("with padding", { $0["e"] = .string("AQAB=") }), ("of an id that is a number", { $0["kid"] = .bool(true) }),
            ("without a modulus", { $0["n"] = nil }),
        ]
        for (name, change) in changes {
            let keys = signed.set(["rsa"]) { _, key in change(&key) }
            #expect(keys.count == 0, "\(name)")
            #expect(throws: IDTokenRefusal.unknownKey) { try verify(token, keys: keys) }
        }
        let good = signed.set(["rsa"]) { _, key in
            key["use"] = .string("sig")
            key["alg"] = .string("RS256")
        }
        #expect(throws: Never.self) { try verify(token, keys: good) }
        let newer = signed.set(["ed25519"]) { _, key in key["alg"] = .string("Ed25519") }
        #expect(throws: Never.self, "by its newer name") { try verify(signed["EdDSA"], keys: newer) }
        let unnamed = signed.set(["other", "rsa"]) { _, key in key["kid"] = nil }
        #expect(throws: Never.self) { try verify(token, keys: unnamed) }
        let off = signed.set(["p256"]) { _, key in key["x"] = key["y"] }
        #expect(off.count == 0, "a point that is not on the curve")
    }
}
