import PlaygroundCore
import StrictJSON

/// What a verified ID token says about a person.
package struct IDToken: Sendable, Equatable {
    /// Who says it.
    package let issuer: String
    /// Whom the issuer means, for ever: 1 to 255 characters of ASCII.
    package let subject: String
    /// An address that may not be theirs unless `isEmailVerified`.
    package let email: String?
    package let isEmailVerified: Bool
    /// As it stands in the token.
    package let nonce: String?
}

/// Why an ID token is not believed. For logs: none of it is in what a client is told.
package enum IDTokenRefusal: String, Error, Sendable {
    case tooLong = "it is too long"
    case malformed = "it is no compact JWS"
    case badHeader = "its header cannot be used"
    case algorithmNotAllowed = "its algorithm is not allowed"
    case extensionNotSupported = "its header asks for an extension"
    case wrongType = "it says that it is a token of another kind"
    case badSignature = "the issuer's key that it names has not signed it"
    case unknownKey = "no key that is known of the issuer has signed it"
    case badClaims = "its claims are no JSON object of the strict kind, or one has the wrong type"
    case wrongIssuer = "its issuer is another one"
    case wrongAudience = "it is meant for somebody else"
    case wrongParty = "it was issued to somebody else"
    case expired = "it has expired"
    case notYetValid = "it is from the future"
    case tooOld = "it was issued too long ago"
    case badSubject = "its subject is missing or cannot be used"
    case wrongNonce = "its nonce is missing or another one"
}

/// What has to be so for an ID token to be believed (OpenID Connect Core, 3.1.3.7).
package struct IDTokenRules: Sendable {
    /// Compared byte for byte.
    package let issuer: String
    /// The client ids that are ours: the token is meant for one of them, and was issued to one of them.
    package let audiences: [String]
    /// What clocks may be apart, in seconds.
    static let leeway: Double = 30
    /// An ID token is about a log-in of this moment: one issued longer ago is refused whatever its end, in seconds.
    static let maximumAge: Double = 24 * 3600
    static let subjectLength = 1...255
    private static let maximumEmailLength = 254

    package init(issuer: String, audiences: [String]) {
        self.issuer = issuer
        self.audiences = audiences
    }

    /// Which nonce the token has to bear.
    package enum Nonce: Sendable {
        /// This one.
        case plain(String)
        /// This one, or its SHA-256 in hexadecimal or base64url: native sign-in hands the hash to the provider.
        case plainOrHashed(String)
    }

    /// - Parameter now: seconds since 1970.
    package func verify(
        _ text: String, keys: JSONWebKeySet, nonce: Nonce, now: Int64
    ) throws(IDTokenRefusal) -> IDToken {
        let token: CompactJWS
        do { token = try CompactJWS(text) } catch { throw IDTokenRefusal(error) }
        // RFC 8725, 3.11. A logout token or an access token of the same issuer has the same claims.
        if let type = token.type?.lowercased(), type != "jwt", type != "application/jwt" { throw .wrongType }
        guard token.isSigned(by: keys) else { throw token.isKeyKnown(in: keys) ? .badSignature : .unknownKey }
        guard let claims = (try? JSONValue(parsing: token.payload))?.object else { throw .badClaims }

        guard let issuer = claims["iss"]?.string, issuer.hasBytes(of: self.issuer) else { throw .wrongIssuer }
        try checkAudience(claims)
        try Self.checkTimes(claims, now: Double(now))
        let stated = try Self.string("nonce", of: claims)
        guard let stated, nonce.matches(stated) else { throw .wrongNonce }
        let email = try Self.string("email", of: claims).flatMap { $0.utf8.count <= Self.maximumEmailLength ? $0 : nil }
        return IDToken(
            issuer: issuer, subject: try Self.subject(of: claims), email: email,
            isEmailVerified: try Self.isEmailVerified(claims), nonce: stated)
    }

    private func checkAudience(_ claims: JSONObject) throws(IDTokenRefusal) {
        let given: [JSONValue]
        switch claims["aud"] {
        case .string(let one): given = [.string(one)]
        case .array(let several): given = several
        default: throw .wrongAudience
        }
        let names = given.compactMap(\.string)
        guard names.count == given.count, names.contains(where: isOurs) else { throw .wrongAudience }
        switch claims["azp"] {
        case nil: if names.count > 1 { throw .wrongParty }
        case .string(let party)? where isOurs(party): break
        default: throw .wrongParty
        }
    }

    private func isOurs(_ name: String) -> Bool { audiences.contains { $0.hasBytes(of: name) } }

    private static func checkTimes(_ claims: JSONObject, now: Double) throws(IDTokenRefusal) {
        guard let end = try seconds("exp", of: claims), let start = try seconds("iat", of: claims) else { throw .badClaims }
        guard now < end + leeway else { throw .expired }
        guard start <= now + leeway else { throw .notYetValid }
        guard start > now - maximumAge else { throw .tooOld }
        if let earliest = try seconds("nbf", of: claims), earliest > now + leeway { throw .notYetValid }
        _ = try seconds("auth_time", of: claims)
    }

    /// Seconds since 1970; fractions are allowed (RFC 7519, 2), strings are not.
    private static func seconds(_ name: String, of claims: JSONObject) throws(IDTokenRefusal) -> Double? {
        guard let value = claims[name] else { return nil }
        guard let number = value.number?.double, number >= 0 else { throw .badClaims }
        return number
    }

    private static func string(_ name: String, of claims: JSONObject) throws(IDTokenRefusal) -> String? {
        guard let value = claims[name] else { return nil }
        guard let string = value.string else { throw .badClaims }
        return string
    }

    private static func subject(of claims: JSONObject) throws(IDTokenRefusal) -> String {
        guard let subject = claims["sub"]?.string, subjectLength.contains(subject.utf8.count),
            subject.utf8.allSatisfy({ (0x20..<0x7F).contains($0) })
        else { throw .badSubject }
        return subject
    }

    /// One provider writes it as a string.
    private static func isEmailVerified(_ claims: JSONObject) throws(IDTokenRefusal) -> Bool {
        switch claims["email_verified"] {
        case nil: return false
        case .bool(let value)?: return value
        case .string("true")?: return true
        case .string("false")?: return false
        default: throw .badClaims
        }
    }
}

extension IDTokenRules.Nonce {
    /// In a time that does not tell how much of it was right.
    func matches(_ stated: String) -> Bool {
        switch self {
        case .plain(let own): return ConstantTime.isEqual(stated, own)
        case .plainOrHashed(let own):
            let digest = SHA256Digest(of: Array(own.utf8).span).bytes
            let forms = [own, digest.hexadecimal, Base64.url.encode(digest)]
            return forms.reduce(false) { ConstantTime.isEqual(stated, $1) || $0 }
        }
    }
}

extension IDTokenRefusal {
    fileprivate init(_ refusal: CompactJWS.Refusal) {
        self =
            switch refusal {
            case .tooLong: .tooLong
            case .malformed: .malformed
            case .badHeader: .badHeader
            case .algorithmNotAllowed: .algorithmNotAllowed
            case .extensionNotSupported: .extensionNotSupported
            }
    }
}

extension String {
    /// Equality byte for byte: Swift's own takes canonically equivalent texts for equal.
    func hasBytes(of other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}
