/// A set of ASCII bytes as 128 bits: a test costs a shift, and the constants need no initialisation at run time.
struct ByteSet {
    /// Bit n: byte n is a member.
    let low: UInt64
    /// Bit n: byte 64 + n is a member.
    let high: UInt64

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        let word = byte < 64 ? low : high
        return byte < 128 && (word &>> UInt64(byte & 63)) & 1 != 0
    }
}

extension ByteSet {
    /// token: `!#$%&'*+-.^_`|~`, digits, letters (RFC 9110 5.6.2).
    static var token: ByteSet { ByteSet(low: 0x03ff_6cfa_0000_0000, high: 0x57ff_ffff_c7ff_fffe) }

    /// What a request target may hold without a second look: `pchar` and `/` (RFC 3986 3.3), but not `%`, `?`, `[`, `]`.
    static var plainTarget: ByteSet { ByteSet(low: 0x2fff_ffd2_0000_0000, high: 0x47ff_fffe_87ff_ffff) }

    /// A registered name, RFC 3986 3.2.2, without `%` and without the comma, which is how a proxy joins two Host fields.
    static var registeredName: ByteSet { ByteSet(low: 0x2bff_6fd2_0000_0000, high: 0x47ff_fffe_87ff_fffe) }

    /// cookie-octet: visible ASCII without `"`, `,`, `;` and `\` (RFC 6265 4.1.1).
    static var cookieOctet: ByteSet { ByteSet(low: 0xf7ff_effa_0000_0000, high: 0x7fff_fffe_efff_ffff) }
}

extension UInt8 {
    /// The value of a hexadecimal digit; nil for any other byte.
    @inline(__always)
    var hexDigitValue: UInt8? {
        switch self {
        case 0x30...0x39: self &- 0x30
        case 0x41...0x46: self &- 0x37
        case 0x61...0x66: self &- 0x57
        default: nil
        }
    }

    /// Whether the byte may stand in a field value: visible ASCII, obs-text, SP or HTAB (RFC 9110 5.5).
    @inline(__always)
    var isFieldContent: Bool { self >= 0x20 && self != 0x7f || self == .tab }

    @inline(__always) static var tab: UInt8 { 0x09 }
    @inline(__always) static var lineFeed: UInt8 { 0x0a }
    @inline(__always) static var carriageReturn: UInt8 { 0x0d }
    @inline(__always) static var space: UInt8 { 0x20 }
}
