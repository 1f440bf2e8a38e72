import Foundation
import PlaygroundCore
import StrictJSON
import Testing

@testable import OIDC

// The vectors of C2SP's Wycheproof and of RFC 7515: they are read where CORPORA says, and are no part of the project.
private let corpora = ProcessInfo.processInfo.environment["CORPORA"]

@Suite("Signed tokens: the vectors of others", .enabled(if: corpora != nil, "CORPORA names no directory"))
struct JOSECorpusTests {
    struct Vector {
        let id: String
        let keys: JSONWebKeySet
        /// Compact, or JSON in a string of its own form.
        let token: String
        let isValid: Bool
        /// Whether the key says that it is for an algorithm that is allowed, or does not say.
        let isForAllowedAlgorithm: Bool
    }

    private static func file(_ name: String) throws -> JSONValue {
        let directory = try #require(corpora)
        return try JSONValue(parsing: Array(Data(contentsOf: URL(fileURLWithPath: "\(directory)/jose/\(name)"))))
    }

    private static func vectors(_ name: String) throws -> [Vector] {
        let groups = try #require(try file(name).object?["testGroups"]?.array)
        return try groups.flatMap { group -> [Vector] in
            let group = try #require(group.object)
            let given = try #require(group["public"] ?? group["private"])
            let list = given.object?["keys"]?.array ?? [given]
            var set = JSONObject()
            set["keys"] = .array(list)
            let keys = try #require(JSONWebKeySet(.object(set)))
            let algorithms = list.compactMap { $0.object?["alg"]?.string }
            return try #require(group["tests"]?.array).map { test in
                let test = try #require(test.object)
                return Vector(
                    id: "\(name) \(test["tcId"]?.number?.literal ?? "")", keys: keys,
                    token: test["jws"]?.string ?? test["jws"]?.jsonText ?? "", isValid: test["result"]?.string == "valid",
                    isForAllowedAlgorithm: algorithms.allSatisfy { SignatureAlgorithm(rawValue: $0) != nil })
            }
        }
    }

    private static func accepts(_ vector: Vector) -> Bool {
        guard let token = try? CompactJWS(vector.token) else { return false }
        return token.isSigned(by: vector.keys)
    }

    @Test(
        "every invalid vector is refused, and of the valid ones exactly those of our algorithms are taken",
        arguments: [("wycheproof_json_web_signature_test.json", 401, 10), ("wycheproof_json_web_key_test.json", 26, 1)])
    func wycheproof(_ name: String, _ count: Int, _ accepted: Int) throws {
        let vectors = try Self.vectors(name)
        #expect(vectors.count == count)
        for vector in vectors where Self.accepts(vector) {
            #expect(vector.isValid && vector.isForAllowedAlgorithm, "accepted: \(vector.id)")
        }
        #expect(vectors.filter(Self.accepts).count == accepted)
    }

    @Test("of RFC 7515's examples, RS256 and ES256 are taken, HS256 and none are not")
    func rfc7515() throws {
        let examples = try #require(try Self.file("rfc7515_appendix_a.json").array).compactMap(\.object)
        #expect(examples.count == 4)
        for example in examples {
            var set = JSONObject()
            set["keys"] = .array([example["jwk"]].compactMap(\.self))
            let keys = try #require(JSONWebKeySet(.object(set)))
            let name = try #require(example["name"]?.string)
            let token = try #require(example["jws"]?.string)
            let isOurs = name.contains("RS256") || name.contains("ES256")
            #expect((try? CompactJWS(token))?.isSigned(by: keys) ?? false == isOurs, "\(name)")
        }
    }
}
