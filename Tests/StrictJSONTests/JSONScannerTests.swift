import StrictJSON
import Testing

/// Takes the whole text without looking at it.
func skipAll(_ bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONError) {
    var scanner = JSONScanner(bytes.span, limits: limits)
    try scanner.skipValue()
    try scanner.finish()
}

/// Why `body` throws; nil where it does not.
func reason<Result>(_ body: () throws -> Result) -> JSONError.Reason? {
    do {
        _ = try body()
        return nil
    } catch {
        return (error as? JSONError)?.reason
    }
}

@Suite("JSONScanner")
struct JSONScannerTests {
    private static let event = #"""
        {"id":"cmpl-x","object":"text_completion","created":1759118173,"choices":[{"text":" up\n\"on\"","index":0,
        "logprobs":null,"finish_reason":null},{"text":"other"}],"model":"m","usage":{"prompt_tokens":3}}
        """#

    /// The raw bytes of the first choice's text, as a relay looks for them.
    private func firstText(in text: String) throws(JSONError) -> String? {
        let bytes = Array(text.utf8)
        var scanner = JSONScanner(bytes.span)
        var found: String?
        try scanner.enterObject()
        while let key = try scanner.nextKey() {
            guard scanner.matches(key, "choices") else {
                try scanner.skipValue()
                continue
            }
            try scanner.enterArray()
            while try scanner.nextElement() {
                try scanner.enterObject()
                while let key = try scanner.nextKey() {
                    if found == nil, scanner.matches(key, "text"), try scanner.kind() == .string {
                        found = String(decoding: bytes[try scanner.string().range], as: UTF8.self)
                    } else {
                        try scanner.skipValue()
                    }
                }
            }
        }
        try scanner.finish()
        return found
    }

    @Test("finds one string in an event and leaves its escapes as they are")
    func rawText() throws {
        #expect(try firstText(in: Self.event) == #" up\n\"on\""#)
    }

    @Test("a name spelt with escapes is the same name")
    func escapedName() throws {
        #expect(try firstText(in: #"{"ch\u006fices":[{"t\u0065xt":"a"}]}"#) == "a")
        #expect(try firstText(in: #"{"choices2":[{"text":"a"}],"choice":[{}],"Choices":1}"#) == nil)
    }

    @Test("an event cut anywhere is refused as ending too early, or as a number cut short")
    func everyCut() {
        let bytes = Array(Self.event.utf8)
        for end in 0..<bytes.count {
            #expect(reason { try skipAll(Array(bytes[..<end])) } == .unexpectedEnd, "cut at \(end)")
        }
    }

    @Test("a stray byte anywhere outside the strings is refused")
    func strayBytes() throws {
        let bytes = Array(#"{"a":[1,-2.5e+3,true,false,null,{},[],{"b":"c"}],"d":"e"}"#.utf8)
        for index in 0...bytes.count {
            var broken = bytes
            broken.insert(UInt8(ascii: "#"), at: index)
            let isInString = bytes[..<index].count { $0 == UInt8(ascii: "\"") } % 2 == 1
            #expect((reason { try skipAll(broken) } == nil) == isInString, "inserted at \(index)")
        }
    }

    @Test(
        "skipping checks as strictly as taking",
        arguments: [
            ("", JSONError.Reason.unexpectedEnd, 0), (" ", .unexpectedEnd, 1), ("[1,]", .unexpectedByte, 3),
            ("[,1]", .unexpectedByte, 1), ("{,}", .unexpectedByte, 1), (#"{"a":1,}"#, .unexpectedByte, 7),
            (#"{"a" 1}"#, .unexpectedByte, 5), (#"{a:1}"#, .unexpectedByte, 1), (#"{1:1}"#, .unexpectedByte, 1),
            ("[1 2]", .unexpectedByte, 3), ("[1}", .unexpectedByte, 2), (#"{"a":1]"#, .unexpectedByte, 6),
            ("1 2", .trailingBytes, 2), ("[]]", .trailingBytes, 2), ("nul", .unexpectedEnd, 3), ("nulL", .unexpectedByte, 3),
            ("truE", .unexpectedByte, 3), ("True", .unexpectedByte, 0), ("01", .invalidNumber, 0), ("-", .unexpectedEnd, 1),
            ("-a", .invalidNumber, 0), ("1.", .unexpectedEnd, 2), ("1.e1", .invalidNumber, 0), ("1e", .unexpectedEnd, 2),
            ("1e+", .unexpectedEnd, 3), ("1ee", .invalidNumber, 0), (".5", .unexpectedByte, 0), ("+1", .unexpectedByte, 0),
            ("NaN", .unexpectedByte, 0), ("0x1", .trailingBytes, 1), ("\u{FEFF}1", .byteOrderMark, 0),
            ("\u{FEFF}", .byteOrderMark, 0), ("\u{A0}1", .unexpectedByte, 0), ("[1\u{0B}]", .unexpectedByte, 2),
            ("\"a", .unexpectedEnd, 2), ("\"\\", .unexpectedEnd, 2), ("\"\\x\"", .invalidEscape, 1),
            ("\"\\u12", .unexpectedEnd, 5), ("\"\\u12g4\"", .invalidEscape, 1), ("\"\\U0041\"", .invalidEscape, 1),
            ("\"a\nb\"", .controlCharacter, 2), ("\"\0\"", .controlCharacter, 1), ("\"1234567\u{1F}\"", .controlCharacter, 8),
        ])
    func refusals(text: String, expected: JSONError.Reason, offset: Int) {
        #expect(throws: JSONError(expected, at: offset)) { try skipAll(Array(text.utf8)) }
        #expect(throws: JSONError(expected, at: offset)) { try JSONValue(parsing: text) }
    }

    @Test(
        "bytes that are not UTF-8 are refused wherever they stand in a string",
        arguments: [
            [0x80], [0xBF], [0xC0, 0xAF], [0xC1, 0x81], [0xC3], [0xC3, 0x28], [0xE0, 0x9F, 0x80], [0xE2, 0x82],
            [0xE2, 0x28, 0xA1],
            [0xE2, 0x82, 0x28], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xF0, 0x8F, 0x80, 0x80], [0xF0, 0x9F, 0x98],
            [0xF0, 0x9F, 0x98, 0x28], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFE],
            [0xFF],
        ] as [[UInt8]])
    func invalidUTF8(sequence: [UInt8]) {
        for lead in 0...9 {
            let bytes = [UInt8(ascii: "\"")] + [UInt8](repeating: UInt8(ascii: "a"), count: lead) + sequence
            for tail in [[UInt8(ascii: "\"")], Array("aaaaaaaaaaaa\"".utf8)] {
                #expect(throws: JSONError(.invalidUTF8, at: lead + 1)) { try skipAll(bytes + tail) }
            }
        }
    }

    @Test("every Unicode scalar passes raw, at every distance from an eight-byte border")
    func everyScalar() throws {
        for range in [0x20...0xD7FF, 0xE000...0x10FFFF] as [ClosedRange<UInt32>] {
            for start in stride(from: range.lowerBound, through: range.upperBound, by: 509) {
                var text = "\""
                for value in start...min(start + 508, range.upperBound) {
                    guard let scalar = Unicode.Scalar(value), scalar != "\"", scalar != "\\" else { continue }
                    text.unicodeScalars.append(scalar)
                }
                text += "\""
                #expect(reason { try skipAll(Array(text.utf8)) } == nil, "from \(String(start, radix: 16))")
            }
        }
    }

    @Test("agrees with the standard library on which sequences of up to four bytes are UTF-8")
    func differentialUTF8() {
        let edges: [UInt8] = [
            0x20, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0,
            0xF1,
            0xF3, 0xF4, 0xF5, 0xFF,
        ]
        var mismatches = 0
        for first in edges {
            for second in edges {
                for third in edges {
                    for fourth in edges {
                        let sequence = [first, second, third, fourth]
                        let isValid = String(validating: sequence, as: UTF8.self) != nil
                        let quoted = [UInt8(ascii: "\"")] + sequence + [UInt8(ascii: "\"")]
                        if (reason { try skipAll(quoted) } == nil) != isValid { mismatches += 1 }
                    }
                }
            }
        }
        #expect(mismatches == 0)
    }

    @Test("64 levels are walked, 65 are refused where the last one opens", arguments: ["[", #"{"a":"#])
    func depth(open: String) {
        let close = open == "[" ? "]" : "}"
        let text = { (levels: Int, inside: String) in
            Array((String(repeating: open, count: levels) + inside + String(repeating: close, count: levels)).utf8)
        }
        #expect(reason { try skipAll(text(64, "0")) } == nil)
        #expect(throws: JSONError(.tooDeep, at: 64 * open.utf8.count)) { try skipAll(text(65, "0")) }
        #expect(throws: JSONError(.tooDeep, at: 64 * open.utf8.count)) { try JSONValue(parsing: text(65, "0")) }
        #expect(reason { try skipAll(text(3, "0"), limits: JSONLimits(depth: 2)) } == .tooDeep)
        #expect(reason { try skipAll(text(1_000_000, "0")) } == .tooDeep)
    }

    @Test("a number literal of 64 bytes passes, one of 65 does not")
    func numberLength() {
        let digits = String(repeating: "7", count: 64)
        #expect(reason { try skipAll(Array(digits.utf8)) } == nil)
        #expect(throws: JSONError(.numberTooLong, at: 1)) { try skipAll(Array("[\(digits)7]".utf8)) }
    }

    @Test(
        "escapes pass unread: their meaning is for who decodes them", arguments: [#""\u0000""#, #""\ud800""#, #"{"a":1,"a":2}"#])
    func meaningIsNotGrammar(text: String) {
        #expect(reason { try skipAll(Array(text.utf8)) } == nil)
        #expect(reason { try JSONValue(parsing: text) } != nil)
    }
}
