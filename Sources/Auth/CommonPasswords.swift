/// Knows the passwords that guessing begins with: words and phrases people choose, and the habits they dress them up with.
///
/// Rules rather than a list: every word stands for itself, capitalised, in l33t spelling, reversed, cut at eight characters, and
/// with up to four digits or signs in front and five behind, so that a few thousand words refuse some millions of passwords.
/// Pure; matching is by bytes, ASCII letters in lower case.
enum CommonPasswords {
    /// Whether the password is one of those.
    static func contains(_ password: String) -> Bool {
        let bytes = password.utf8.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
        // Longer ones are not guessed from lists.
        guard bytes.count <= 64 else { return isRepetition(bytes) }
        return isRepetition(bytes) || KeyboardWalk.covers(bytes) || isDate(bytes) || isWord(bytes) || isWord(bytes.reversed())
    }

    // MARK: Words

    private static let words: Set<[UInt8]> = {
        let lists = [
            CommonPasswordWords.phrases, CommonPasswordWords.names, CommonPasswordWords.things, CommonPasswordWords.product,
        ]
        return Set(lists.flatMap { $0.utf8.split(whereSeparator: { $0 == 0x20 || $0 == 0x0A }).map(Array.init) })
    }()

    /// Old systems kept eight characters only; their passwords still go round in that form.
    private static let cutWords = Set(words.filter { $0.count > 8 }.map { Array($0.prefix(8)) })

    /// A word, bare or with something around it that adds next to nothing.
    private static func isWord(_ bytes: [UInt8]) -> Bool {
        let leading = min(4, bytes.prefix { !isLetter($0) }.count)
        let trailing = bytes.reversed().prefix { !isLetter($0) }.count
        for front in 0...leading {
            let rest = bytes.dropFirst(front)
            for back in 0...min(trailing, rest.count) {
                let tail = rest.suffix(back)
                guard back <= 5 || KeyboardWalk.covers(Array(tail)) || isDate(Array(tail)) else { continue }
                if isBareWord(Array(rest.dropLast(back))) { return true }
            }
        }
        return false
    }

    private static func isBareWord(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= 3 else { return false }
        for spelling in [bytes, plain(bytes, one: UInt8(ascii: "i")), plain(bytes, one: UInt8(ascii: "l"))] {
            if words.contains(spelling) || cutWords.contains(spelling) { return true }
            if spelling.last == UInt8(ascii: "s"), words.contains(Array(spelling.dropLast())) { return true }
        }
        return false
    }

    /// l33t spelling undone. A `1` is an i or an l.
    private static func plain(_ bytes: [UInt8], one: UInt8) -> [UInt8] {
        bytes.map { byte in
            switch byte {
            case UInt8(ascii: "0"): UInt8(ascii: "o")
            case UInt8(ascii: "1"), UInt8(ascii: "!"): one
            case UInt8(ascii: "3"): UInt8(ascii: "e")
            case UInt8(ascii: "4"), UInt8(ascii: "@"): UInt8(ascii: "a")
            case UInt8(ascii: "5"), UInt8(ascii: "$"): UInt8(ascii: "s")
            case UInt8(ascii: "7"): UInt8(ascii: "t")
            case UInt8(ascii: "8"): UInt8(ascii: "b")
            case UInt8(ascii: "9"): UInt8(ascii: "g")
            default: byte
            }
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte >= 0x80
    }

    // MARK: Patterns

    /// `aaaaaaaa`, `12341234`, `abcabcab`; and any common half said twice.
    private static func isRepetition(_ bytes: [UInt8]) -> Bool {
        for unit in 1...4 where bytes.count >= 2 * unit {
            if bytes.indices.dropFirst(unit).allSatisfy({ bytes[$0] == bytes[$0 - unit] }) { return true }
        }
        let half = bytes.count / 2
        guard bytes.count % 2 == 0, bytes.count >= 8, bytes[..<half] == bytes[half...] else { return false }
        return isBareWord(Array(bytes[..<half])) || KeyboardWalk.covers(Array(bytes[..<half]))
    }

    /// Eight digits that are a day between 1900 and 2049, in any of the usual orders, or two years.
    private static func isDate(_ bytes: [UInt8]) -> Bool {
        guard bytes.count == 8, bytes.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return false }
        let digits = bytes.map { Int($0 - UInt8(ascii: "0")) }
        let number = { (range: Range<Int>) in digits[range].reduce(0) { $0 * 10 + $1 } }
        let isYear = { (value: Int) in (1900..<2050).contains(value) }
        let isDay = { (a: Int, b: Int) in
            (1...31).contains(a) && (1...12).contains(b) || (1...12).contains(a) && (1...31).contains(b)
        }
        return isYear(number(4..<8)) && (isDay(number(0..<2), number(2..<4)) || isYear(number(0..<4)))
            || isYear(number(0..<4)) && isDay(number(4..<6), number(6..<8))
    }
}
