import COpenSSL
import PlaygroundCore

/// A password as it is stored: `$scrypt$ln=17,r=8,p=1$salt$key` (the PHC string format; base64 without padding).
/// The cost stands in the text, so that it can grow without a reset of everybody's password.
struct PasswordHash: Equatable, Sendable, CustomStringConvertible {
    /// scrypt's cost (RFC 7914): N = 2^logN blocks of 128 r bytes, p times.
    struct Cost: Equatable, Sendable {
        let logN: Int
        let r: Int
        let p: Int

        /// 128 MiB and about 0.3 s: OWASP's first choice for scrypt.
        static let current = Cost(logN: 17, r: 8, p: 1)
        /// Stored costs above this are not ours: they would be an allocation of somebody else's choosing.
        private static let maximumBytes = 256 << 20

        /// What the computation takes, which is also its memory limit: 128 r (N + p + 2) bytes (EVP_PBE_scrypt).
        var bytes: Int { 128 * r * ((1 << logN) + p + 2) }

        init(logN: Int, r: Int, p: Int) { (self.logN, self.r, self.p) = (logN, r, p) }

        /// Nil where the cost is none that this server could have issued.
        init?(checking logN: Int, _ r: Int, _ p: Int) {
            guard (1...20).contains(logN), (1...32).contains(r), (1...16).contains(p) else { return nil }
            self.init(logN: logN, r: r, p: p)
            guard bytes <= Self.maximumBytes else { return nil }
        }

        /// Whether a hash of this cost is to be replaced when its password is next seen.
        var isWeakerThanCurrent: Bool {
            let current = Cost.current
            return (r << logN) * p < (current.r << current.logN) * current.p || bytes < current.bytes
        }
    }

    static let saltLength = 16
    static let keyLength = 32

    let cost: Cost
    let salt: [UInt8]
    let key: [UInt8]

    /// Stands in where no account is known or it has no password: verifying against it takes as long and never succeeds.
    static let dummy = PasswordHash(
        cost: .current, salt: [UInt8](repeating: 0, count: saltLength), key: [UInt8](repeating: 0, count: keyLength))

    init(cost: Cost, salt: [UInt8], key: [UInt8]) { (self.cost, self.salt, self.key) = (cost, salt, key) }

    /// Nil for any text that `description` does not give.
    init?(parsing text: String) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0].isEmpty, parts[1] == "scrypt" else { return nil }
        let numbers = parts[2].split(separator: ",", omittingEmptySubsequences: false)
        guard numbers.count == 3, let logN = Self.number(numbers[0], "ln="), let r = Self.number(numbers[1], "r="),
            let p = Self.number(numbers[2], "p="), let cost = Cost(checking: logN, r, p),
            let salt = Base64.standard.decode(parts[3].utf8), salt.count == Self.saltLength,
            let key = Base64.standard.decode(parts[4].utf8), key.count == Self.keyLength
        else { return nil }
        self.init(cost: cost, salt: salt, key: key)
    }

    var description: String {
        "$scrypt$ln=\(cost.logN),r=\(cost.r),p=\(cost.p)$\(Base64.standard.encode(salt))$\(Base64.standard.encode(key))"
    }

    /// What is given to scrypt for a password: its UTF-8 and an end mark. scrypt begins with HMAC, which fills keys up with zeros,
    /// so without the mark a password and the same one with U+0000 behind it would be one.
    static func input(_ password: String) -> [UInt8] { Array(password.utf8) + [0x80] }

    /// The key that this password, salt and cost give. Blocks for as long as the cost says. Nil only where memory is out.
    static func deriveKey(password: [UInt8], salt: [UInt8], cost: Cost) -> [UInt8]? {
        var isDerived = false
        let key = [UInt8](unsafeUninitializedCapacity: keyLength) { key, written in
            isDerived =
                copenssl_scrypt(
                    password, password.count, salt, salt.count, UInt64(1) << UInt64(cost.logN), UInt64(cost.r), UInt64(cost.p),
                    UInt64(cost.bytes), key.baseAddress, keyLength) == 1
            written = isDerived ? keyLength : 0
        }
        return isDerived ? key : nil
    }

    /// Compares without telling how much was right.
    func matches(_ derived: [UInt8]) -> Bool {
        derived.count == key.count && copenssl_equal(derived, key, key.count) == 1
    }

    private static func number(_ text: Substring, _ name: String) -> Int? {
        guard text.hasPrefix(name) else { return nil }
        let digits = text.dropFirst(name.count)
        guard (1...2).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), digits.first != "0"
        else {
            return nil
        }
        return Int(digits)
    }
}
