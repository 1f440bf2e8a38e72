import Foundation
import StrictJSON
import Testing

// Both corpora are large, well known and not ours: they are read where CORPORA says, and are no part of the project.
private let corpora = ProcessInfo.processInfo.environment["CORPORA"]

private struct SuiteFile: Decodable {
    let name: String
    let expect: String
    let json_base64: String

    func bytes() throws -> [UInt8] { Array(try #require(Data(base64Encoded: json_base64), "\(name) is not base 64")) }
}

private func file<Content: Decodable>(_ path: String, as type: Content.Type = Content.self) throws -> Content {
    let directory = try #require(corpora)
    return try JSONDecoder().decode(Content.self, from: Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(path)")))
}

@Suite("The JSON parsing test suite (nst/JSONTestSuite)", .enabled(if: corpora != nil, "CORPORA names no directory"))
struct JSONTestSuiteTests {
    private func files(_ expectation: String) throws -> [SuiteFile] {
        try file("json-test-suite/test_parsing.json", as: [SuiteFile].self).filter { $0.expect == expectation }
    }

    @Test("each of the 188 texts that are no JSON is refused, by the scanner and by the parser")
    func refusals() throws {
        let files = try files("reject")
        #expect(files.count == 188)
        for file in files {
            let bytes = try file.bytes()
            #expect(throws: JSONError.self, "scanner: \(file.name)") { try skipAll(bytes) }
            #expect(throws: JSONError.self, "parser: \(file.name)") { try JSONValue(parsing: bytes) }
        }
    }

    // One of them has a number of 81 bytes, two repeat a name, one has U+0000: these limits of ours are lifted or named.
    @Test("each of the 95 texts that are JSON is accepted, but for what is refused beyond the grammar")
    func acceptance() throws {
        let files = try files("accept")
        #expect(files.count == 95)
        for file in files {
            let bytes = try file.bytes()
            let limits = JSONLimits(numberLength: 128, allowsNullCharacter: true)
            #expect(throws: Never.self, "scanner: \(file.name)") { try skipAll(bytes, limits: limits) }
            if let reason = reason({ try JSONValue(parsing: bytes) }) { #expect(reason.isBeyondGrammar, "\(file.name)") }
            if file.name.contains("duplicated_key") {
                #expect(reason { try JSONValue(parsing: bytes) } == .duplicateKey, "\(file.name)")
            } else {
                #expect(throws: Never.self, "parser: \(file.name)") { try JSONValue(parsing: bytes, limits: limits) }
            }
        }
    }

    @Test("whatever the parser accepts of the doubtful texts, it writes back as JSON that reads the same")
    func doubtful() throws {
        for file in try files("either") {
            guard let value = try? JSONValue(parsing: file.bytes()) else { continue }
            #expect(try JSONValue(parsing: value.jsonBytes) == value, "\(file.name)")
        }
    }
}

@Suite("Naughty strings", .enabled(if: corpora != nil, "CORPORA names no directory"))
struct NaughtyStringTests {
    @Test("each string comes back byte for byte, as a value and as a name; only U+0000 is refused")
    func roundTrip() throws {
        let strings: [String] = try file("strings/blns.json")
        #expect(strings.count >= 500)
        for string in strings {
            var writer = JSONWriter()
            writer.object { $0.member(named: string, [string]) }
            if string.unicodeScalars.contains("\0") {
                #expect(reason { try JSONValue(parsing: writer.bytes) } == .nullCharacter)
                continue
            }
            let object = try #require(try JSONValue(parsing: writer.bytes).object)
            let key = try #require(object.keys.first)
            let value = try #require(object[string]?.array?.first?.string)
            #expect(Array(key.utf8) == Array(string.utf8))
            #expect(Array(value.utf8) == Array(string.utf8))
        }
    }
}
