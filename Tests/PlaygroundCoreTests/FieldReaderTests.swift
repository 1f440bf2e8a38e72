import PlaygroundCore
import StrictJSON
import Testing

/// The error of reading `body` as `read` does; nil where there is none.
func failure<Value>(_ body: String, _ read: (inout FieldReader) -> Value) -> ServiceError? {
    do {
        var reader = try FieldReader(body: Array(body.utf8))
        _ = read(&reader)
        try reader.finish()
        return nil
    } catch {
        return error
    }
}

/// The bad fields, each as `param code`.
func summary(_ error: ServiceError?) -> [String] {
    error?.errors.map { "\($0.param) \($0.code.rawValue)" } ?? []
}

@Suite("FieldReader")
struct FieldReaderTests {
    @Test("a body that is no object is refused as such", arguments: ["[]", "1", "\"x\"", "null", "true"])
    func noObject(body: String) {
        let error = failure(body) { _ in }
        #expect(error?.code == .invalidRequest)
        #expect(error?.detail.hasPrefix("The body has to be a JSON object, but is ") == true)
    }

    @Test("an empty body is no JSON")
    func empty() {
        #expect(failure("") { _ in }?.code == .invalidJSON)
    }

    @Test("a field is found whatever the length of its name", arguments: [0, 1, 15, 16, 62, 63, 64, 127, 128, 300])
    func nameLengths(count: Int) throws {
        let name = String(repeating: "n", count: count)
        var reader = try FieldReader(body: Array(#"{"\#(name)":1}"#.utf8))
        #expect(reader.contains(name))
        #expect(!reader.contains(name + "n"))
        #expect(!reader.contains(String(repeating: "m", count: count)) || count == 0)
        #expect(reader.integer(name, in: 1...1) == 1)
        try reader.finish()
    }

    @Test("typed reads take what fits")
    func reads() throws {
        let body = #"{"s":"é","i":-3,"n":1.50,"b":false,"id":"01890A5D-AC96-774B-BCCE-B302099A8057","l":["a","b"],"one":"c"}"#
        var reader = try FieldReader(body: Array(body.utf8))
        #expect(reader.string("s", characters: 1...1, bytes: 2) == "é")
        #expect(reader.integer("i", in: -3...3) == -3)
        #expect(reader.number("n", in: 0...2)?.literal == "1.50")
        #expect(reader.bool("b") == false)
        #expect(reader.identifier("id", as: PresetID.self)?.description == "01890a5d-ac96-774b-bcce-b302099a8057")
        #expect(reader.strings("l", atMost: 2) == ["a", "b"])
        #expect(reader.strings("one", atMost: 2) == ["c"])
        #expect(reader.string("absent") == nil)
        #expect(reader.strings("absent", atMost: 2).isEmpty)
        try reader.finish()
    }

    @Test(
        "absent, null, [] and {} mean the same, for every type of field", arguments: ["", #""x":null"#, #""x":[]"#, #""x":{}"#])
    func absence(member: String) throws {
        #expect(failure("{\(member)}") { $0.string("x") } == nil)
        #expect(failure("{\(member)}") { $0.integer("x", in: 1...2) } == nil)
        #expect(failure("{\(member)}") { $0.number("x", in: 1...2) } == nil)
        #expect(failure("{\(member)}") { $0.bool("x") } == nil)
        #expect(failure("{\(member)}") { $0.strings("x", atMost: 1) } == nil)
        #expect(failure("{\(member)}") { $0.fields("x") { _ in } } == nil)
        #expect(summary(failure("{\(member)}") { $0.requiredString("x") }) == ["x required"])
        #expect(
            summary(
                failure("{\(member)}") { reader in
                    reader.require("x"); _ = reader.value("x")
                }) == ["x required"])
    }

    @Test("every bad field is named at once, in the order of the body, missing ones last")
    func allAtOnce() {
        let error = failure(#"{"unknown":1,"flag":"yes","count":2.0,"name":""}"#) { reader in
            _ = reader.requiredString("missing")
            _ = reader.requiredString("name", characters: 1...5)
            _ = reader.integer("count", in: 1...3)
            _ = reader.bool("flag")
        }
        #expect(
            summary(error) == [
                "unknown unknown_parameter", "flag wrong_type", "count wrong_type", "name too_short", "missing required",
            ])
        #expect(error?.code == .invalidRequest)
        #expect(error?.param == "unknown")
    }

    @Test(
        "integers are judged by their literal, and none of them traps",
        arguments: [
            ("-1", ["x out_of_range"]), ("0", ["x out_of_range"]), ("1", []), ("10", []), ("11", ["x out_of_range"]),
            ("2147483648", ["x out_of_range"]), ("9007199254740992", ["x out_of_range"]),
            ("9223372036854775808", ["x out_of_range"]),
            ("18446744073709551616", ["x out_of_range"]), ("1e400", ["x wrong_type"]), ("1.0", ["x wrong_type"]),
            ("1e0", ["x wrong_type"]), ("\"1\"", ["x wrong_type"]), ("true", ["x wrong_type"]), ("null", []),
            ("[1]", ["x wrong_type"]),
        ])
    func integers(literal: String, expected: [String]) {
        #expect(summary(failure("{\"x\":\(literal)}") { $0.integer("x", in: 1...10) }) == expected)
    }

    @Test(
        "numbers are judged by their value",
        arguments: [
            ("0", []), ("2", []), ("2.0", []), ("20e-1", []), ("2.0000001", ["x out_of_range"]), ("-0.1", ["x out_of_range"]),
            ("1e400", ["x out_of_range"]), ("-1e400", ["x out_of_range"]), ("1e-400", []), ("\"1\"", ["x wrong_type"]),
            ("false", ["x wrong_type"]),
        ])
    func numbers(literal: String, expected: [String]) {
        #expect(summary(failure("{\"x\":\(literal)}") { $0.number("x", in: 0...2) }) == expected)
    }

    @Test(
        "a string's length counts Unicode scalars, its size bytes",
        arguments: [
            ("", ["x too_short"]), ("a", []), ("😀😀😀", []), ("e\u{301}", []), ("abcd", ["x too_long"]), ("ééé", []),
            ("漢漢漢漢", ["x too_long"]),
        ])
    func lengths(text: String, expected: [String]) {
        #expect(summary(failure("{\"x\":\"\(text)\"}") { $0.string("x", characters: 1...3) }) == expected)
    }

    @Test("size in bytes is exact")
    func sizes() {
        #expect(summary(failure(#"{"x":"éé"}"#) { $0.string("x", bytes: 4) }) == [])
        #expect(summary(failure(#"{"x":"ééa"}"#) { $0.string("x", bytes: 4) }) == ["x too_long"])
    }

    @Test("elements and members are named by their place")
    func nested() {
        let body = #"{"params":{"list":["a",1,""],"table":{"1":5,"b":1,"2":"x"},"odd":0}}"#
        let error = failure(body) { reader in
            reader.fields("params") { reader in
                _ = reader.strings("list", atMost: 3, characters: 1...9)
                _ = reader.numbers("table", atMost: 3, in: 0...1, named: "digits") { $0 == "1" || $0 == "2" }
            }
        }
        #expect(
            summary(error) == [
                "params.list.1 wrong_type", "params.list.2 too_short", "params.table.1 out_of_range",
                "params.table.b invalid_value",
                "params.table.2 wrong_type", "params.odd unknown_parameter",
            ])
        #expect(error?.errors.first?.detail == "params.list.1 has to be a string, but is a number")
    }

    @Test("too many elements or members are one error")
    func counts() {
        #expect(summary(failure(#"{"x":["a","b"]}"#) { $0.strings("x", atMost: 1) }) == ["x too_long"])
        #expect(
            summary(failure(#"{"x":{"1":0,"2":0}}"#) { $0.numbers("x", atMost: 1, in: 0...1, named: "") { _ in true } })
                == ["x too_long"])
    }

    @Test("read-only fields sent back are ignored")
    func readOnly() throws {
        var reader = try FieldReader(body: Array(#"{"id":1,"name":"a"}"#.utf8), ignoring: ["id", "created_at"])
        #expect(reader.requiredString("name") == "a")
        try reader.finish()
    }

    @Test("a hundred errors are the most anybody is told, and a name is repeated only in part")
    func bounds() {
        let members = (0..<40_000).map { "\"f\($0)\":0" }.joined(separator: ",")
        #expect(failure("{\(members)}") { _ in }?.errors.count == 100)
        let long = String(repeating: "x", count: 5_000)
        #expect(failure("{\"\(long)\":0}") { _ in }?.param == String(repeating: "x", count: 64) + "…")
    }

    @Test("no error repeats a value")
    func values() {
        let error = failure(#"{"a":"hunter2","b":"hunter2","c":["hunter2",1]}"#) { reader in
            _ = reader.integer("a", in: 1...2)
            _ = reader.identifier("b", as: UserID.self)
            _ = reader.strings("c", atMost: 2, characters: 1...2)
        }
        #expect(error?.errors.count == 4)
        #expect(!"\(error as Any)".contains("hunter2"))
    }
}
