import StrictJSON
import Testing

@Suite("JSONWriter")
struct JSONWriterTests {
    @Test("commas stand between members and elements, nowhere else; nil members are left out")
    func structure() {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("none", String?.none)
            writer.member("s", "x")
            writer.member("i", 1)
            writer.member("big", Int64.min)
            writer.member("d", 0.5)
            writer.member("b", true)
            writer.member("empty") { $0.object { _ in } }
            writer.member("list") { writer in
                writer.array { writer in
                    writer.value("a")
                    writer.array { _ in }
                    writer.object { $0.member("k", JSONValue.null) }
                    writer.null()
                }
            }
            writer.member("strings", ["p", "q"])
            writer.member("also none", Int?.none)
            writer.member("last", JSONValue.array([.bool(false)]))
        }
        #expect(
            String(decoding: writer.bytes, as: UTF8.self)
                == #"{"s":"x","i":1,"big":-9223372036854775808,"d":0.5,"b":true,"empty":{},"list":["a",[],{"k":null},null],"#
                + #""strings":["p","q"],"last":[false]}"#)
    }

    @Test(
        "only the quote, the backslash and control characters are escaped",
        arguments: [
            ("", #""""#), ("a\"b\\c/", #""a\"b\\c/""#), ("\u{8}\t\n\u{C}\r", #""\b\t\n\f\r""#),
            ("\0\u{1}\u{F}\u{10}\u{1A}\u{1F}\u{7F}", "\"\\u0000\\u0001\\u000f\\u0010\\u001a\\u001f\u{7F}\""),
            ("é漢😀\u{2028}", "\"é漢😀\u{2028}\""),
        ])
    func escapes(text: String, expected: String) {
        #expect(text.jsonText == expected)
    }

    @Test(
        "doubles take their shortest form and read back the same",
        arguments: [
            (0, "0"), (-0.0, "-0"), (1, "1"), (0.1, "0.1"), (-2.5, "-2.5"), (1e21, "1e+21"), (.leastNonzeroMagnitude, "5e-324"),
            (100, "100"),
            (.greatestFiniteMagnitude, "1.7976931348623157e+308"), (1 / 3.0, "0.3333333333333333"), (.infinity, "null"),
            (-.infinity, "null"), (.nan, "null"),
        ] as [(Double, String)])
    func doubles(value: Double, expected: String) throws {
        #expect(value.jsonText == expected)
        if value.isFinite {
            let back = try #require(try JSONValue(parsing: expected).number?.double)
            #expect(back.bitPattern == value.bitPattern)
        }
    }

    @Test("random doubles and integers read back bit for bit")
    func randomNumbers() throws {
        var generator = SplitMix(state: 1)
        for _ in 0..<5_000 {
            let bits = generator.next()
            let integer = Int64(bitPattern: bits >> (bits & 63))
            #expect(try JSONValue(parsing: integer.jsonText).number?.integer == integer)
            let double = Double(bitPattern: generator.next())
            guard double.isFinite else { continue }
            #expect(try JSONValue(parsing: double.jsonText).number?.double?.bitPattern == double.bitPattern)
        }
    }

    @Test("random values read back equal, and writing them again gives the same bytes")
    func randomValues() throws {
        var generator = SplitMix(state: 2)
        for _ in 0..<2_000 {
            let bytes = generator.value(depth: 4).jsonBytes
            let value = try JSONValue(parsing: bytes)
            #expect(value.jsonBytes == bytes)
        }
    }

    @Test("fragments that are escaped or JSON already are appended as they are")
    func fragments() {
        let text = Array(#"a\n\ud83d"#.utf8)
        let json = Array("[1, 2]".utf8)
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("text") { $0.string(escaped: text.span) }
            writer.member("raw") { $0.raw(json.span) }
            writer.member("number") { $0.raw("1.50") }
        }
        #expect(String(decoding: writer.bytes, as: UTF8.self) == #"{"text":"a\n\ud83d","raw":[1, 2],"number":1.50}"#)
    }

    @Test("an error thrown inside a container comes out with its type")
    func errors() {
        var writer = JSONWriter()
        #expect(throws: JSONError(.tooDeep, at: 3)) {
            try writer.object { writer throws(JSONError) in
                try writer.member("a") { _ throws(JSONError) in throw JSONError(.tooDeep, at: 3) }
            }
        }
    }
}

/// A small generator with a seed, so that a failure can be repeated.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    mutating func text() -> String {
        let scalars: [Unicode.Scalar] = [
            "a", "\"", "\\", "\n", "\u{1F}", "é", "漢", "😀", " ", "\u{FFFD}", "\u{301}", "/", "\u{7F}",
        ]
        var text = ""
        for _ in 0..<Int.random(in: 0...12, using: &self) {
            text.unicodeScalars.append(scalars.randomElement(using: &self) ?? "a")
        }
        return text
    }

    mutating func value(depth: Int) -> JSONValue {
        switch Int.random(in: 0...(depth > 0 ? 6 : 4), using: &self) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &self))
        case 2: return .number(JSONNumber(Int64.random(in: .min ... .max, using: &self)))
        case 3: return JSONNumber(Double.random(in: -1e9...1e9, using: &self)).map { .number($0) } ?? .null
        case 4: return .string(text())
        case 5:
            var elements: [JSONValue] = []
            for _ in 0..<Int.random(in: 0...4, using: &self) { elements.append(value(depth: depth - 1)) }
            return .array(elements)
        default:
            var object = JSONObject()
            for _ in 0..<Int.random(in: 0...12, using: &self) { object[text()] = value(depth: depth - 1) }
            return .object(object)
        }
    }
}
