import StrictJSON
import Testing

@Suite("JSONValue")
struct JSONValueTests {
    @Test("values of every kind, with white space around everything")
    func kinds() throws {
        let text = " { \"a\" : [ null , true , false , -1.50 , \"x\" , { } , [ ] ] \r\n\t} "
        let value = try JSONValue(parsing: text)
        let elements = try #require(value.object?["a"]?.array)
        #expect(elements.map(\.kind) == [.null, .bool, .bool, .number, .string, .object, .array])
        #expect(elements[3].number?.literal == "-1.50")
        #expect(value.jsonText == #"{"a":[null,true,false,-1.50,"x",{},[]]}"#)
    }

    @Test(
        "escapes are resolved",
        arguments: [
            (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u0041\u00e9\u20AC""#, "Aé€"), (#""\ud83d\uDE00""#, "😀"),
            (#""a\ud83d\ude00b""#, "a😀b"), (#""\uDBFF\uDFFF""#, "\u{10FFFF}"), (#""漢\n字""#, "漢\n字"), (#""\uFFFF""#, "\u{FFFF}"),
            (#""\u001f\u007f""#, "\u{1F}\u{7F}"), ("\"\"", ""),
        ])
    func escapes(text: String, expected: String) throws {
        let string = try #require(try JSONValue(parsing: text).string)
        #expect(Array(string.utf8) == Array(expected.utf8))
    }

    @Test(
        "half a surrogate pair is refused, at its own place",
        arguments: [
            (#""\ud800""#, 1), (#""a\udc00""#, 2), (#""\ud800\ud800""#, 1), (#""\ud83dx\ude00""#, 1), (#""\ud83d\n""#, 1),
            (#""\udc00\ud800""#, 1), (#""\ud83d\u0041""#, 1), (#"{"\uDFFF":1}"#, 2), (#""\ud83d\ude00\ud83d""#, 13),
        ])
    func loneSurrogates(text: String, offset: Int) {
        #expect(throws: JSONError(.loneSurrogate, at: offset)) { try JSONValue(parsing: text) }
    }

    @Test("U+0000 has an error of its own, and passes where the limits say so")
    func nullCharacter() throws {
        #expect(throws: JSONError(.nullCharacter, at: 2)) { try JSONValue(parsing: #""a\u0000""#) }
        #expect(throws: JSONError(.nullCharacter, at: 2)) { try JSONValue(parsing: #"{"\u0000":1}"#) }
        let value = try JSONValue(parsing: #""a\u0000""#, limits: JSONLimits(allowsNullCharacter: true))
        #expect(value == .string("a\0"))
        #expect(try JSONValue(parsing: #""\\u0000""#) == .string("\\u0000"))
    }

    @Test("a repeated name is refused, however it is spelt, among few and among many", arguments: [1, 7, 8, 9, 10, 5_000])
    func duplicateKeys(count: Int) {
        let members = (0..<count).map { "\"k\($0)\":\($0)" }.joined(separator: ",")
        #expect(reason { try JSONValue(parsing: "{\(members)}") } == nil)
        for repeated in [#""k0""#, #""\u006b0""#, "\"k\(count - 1)\""] {
            #expect(throws: JSONError(.duplicateKey, at: members.utf8.count + 3)) {
                try JSONValue(parsing: "{\(members),\(repeated):0}")
            }
        }
    }

    @Test("names are compared byte for byte: canonically equivalent ones differ; other objects do not count")
    func distinctNames() throws {
        let object = try #require(try JSONValue(parsing: "{\"\u{E9}\":1,\"e\u{301}\":2,\"\":3,\" \":4}").object)
        #expect(object.count == 4)
        #expect(object["\u{E9}"]?.number?.integer == 1)
        #expect(object["e\u{301}"]?.number?.integer == 2)
        #expect(reason { try JSONValue(parsing: #"{"a":{"a":[{"a":1},{"a":1}]}}"#) } == nil)
    }

    @Test("a large object and a large array are read in linear time: 40,000 members here", .timeLimit(.minutes(1)))
    func large() throws {
        let members = (0..<40_000).map { "\"\($0)\":0" }.joined(separator: ",")
        #expect(try JSONValue(parsing: "{\(members)}").object?.count == 40_000)
        let elements = String(repeating: "0,", count: 130_000) + "0"
        #expect(try JSONValue(parsing: "[\(elements)]").array?.count == 130_001)
    }

    @Test("an object's members can be replaced, appended and removed; the others keep their order")
    func members() throws {
        var object = try #require(try JSONValue(parsing: #"{"a":1,"b":2,"c":3}"#).object)
        object["b"] = .string("x")
        object["d"] = .null
        object["a"] = nil
        object["z"] = nil
        #expect(object.jsonText == #"{"b":"x","c":3,"d":null}"#)
        #expect(object.keys == ["b", "c", "d"])
    }

    @Test("errors say what and where, and nothing of the text")
    func descriptions() {
        let text = #"{"password":"hunter2" oops}"#
        #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
        do {
            _ = try JSONValue(parsing: text)
        } catch {
            #expect(error.description == "unexpected character at byte 22")
        }
    }
}

@Suite("JSONNumber")
struct JSONNumberTests {
    @Test(
        "integers are the literals in digits that fit 64 bits; doubles the finite ones; nothing traps",
        arguments: [
            ("-1", -1, -1), ("0", 0, 0), ("-0", 0, 0), ("2147483648", 2_147_483_648, 2_147_483_648),
            ("9007199254740992", 9_007_199_254_740_992, 9_007_199_254_740_992),
            ("9223372036854775807", .max, 9_223_372_036_854_775_808), ("9223372036854775808", nil, 9_223_372_036_854_775_808),
            ("-9223372036854775808", .min, -9_223_372_036_854_775_808), ("18446744073709551616", nil, 18_446_744_073_709_551_616),
            ("1e400", nil, nil), ("-1e400", nil, nil), ("1e-400", nil, 0), ("1.0", nil, 1), ("1e2", nil, 100), ("1E+2", nil, 100),
            ("0.1", nil, 0.1), ("5e-324", nil, .leastNonzeroMagnitude), ("1.7976931348623157e308", nil, .greatestFiniteMagnitude),
        ] as [(String, Int64?, Double?)])
    func classification(literal: String, integer: Int64?, double: Double?) throws {
        let number = try #require(try JSONValue(parsing: literal).number)
        #expect(number.integer == integer)
        #expect(number.double == double)
        #expect(number.literal == literal)
    }

    @Test("a number with few digits reads as the standard library reads it, bit for bit")
    func fewDigits() throws {
        var generator = SplitMix(state: 3)
        for _ in 0..<5_000 {
            let sign = generator.next() & 1 == 0 ? "" : "-"
            let whole = generator.next() % 1_000 >> (generator.next() % 10)
            let fraction = generator.next() >> (generator.next() % 64)
            let literal = "\(sign)\(whole).\(String(fraction).suffix(12))"
            #expect(try JSONValue(parsing: literal).number?.double?.bitPattern == Double(literal)?.bitPattern, "\(literal)")
        }
    }

    @Test("400 digits are refused as too long; a string, a boolean and null are no numbers")
    func others() throws {
        #expect(reason { try JSONValue(parsing: String(repeating: "9", count: 400)) } == .numberTooLong)
        for text in ["\"1\"", "true", "null"] { #expect(try JSONValue(parsing: text).number == nil) }
    }

    @Test(
        "written in digits or not",
        arguments: [
            ("1", true), ("-12", true), ("18446744073709551616", true), ("1.0", false), ("1e2", false), ("1E2", false),
        ])
    func writtenInDigits(literal: String, expected: Bool) throws {
        #expect(try #require(try JSONValue(parsing: literal).number).isWrittenInDigits == expected)
    }
}
