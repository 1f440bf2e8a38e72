import HTTPTypes
import PlaygroundCore
import StrictJSON
import TestSupport
import Testing

@testable import APIServer

@Suite("The contract's examples are true")
struct ExampleTests {
    let contract: APIContract
    let validator: SchemaValidator

    init() throws {
        contract = try APIContract.ofProject()
        validator = SchemaValidator(contract: contract)
    }

    @Test("every JSON body has an example, and every example fits its schema")
    func examplesFit() throws {
        for operation in contract.operations {
            for (status, type, content) in contract.contents(of: operation) where type.hasSuffix("json") {
                let place = "\(operation) \(status ?? "request")"
                let examples = content["examples"]?.object?.members ?? []
                #expect(!examples.isEmpty, "\(place)")
                for example in examples {
                    let value = try #require(example.value.object?["value"])
                    let schema = try #require(content["schema"])
                    #expect(validator.violations(of: value, against: schema, at: "\(place) \(example.key)") == [])
                }
            }
        }
    }

    @Test("an example of a header or parameter fits its schema")
    func fieldExamplesFit() {
        contract.document.visit { place, object in
            guard let example = object["example"], let schema = object["schema"] else { return }
            #expect(validator.violations(of: example, against: schema, at: place) == [])
        }
    }

    @Test("a problem in an example is one that this server would write under that status")
    func problemsAreReal() throws {
        for operation in contract.operations {
            for (status, type, content) in contract.contents(of: operation) where type == "application/problem+json" {
                for example in content["examples"]?.object?.members ?? [] {
                    let problem = try #require(example.value.object?["value"]?.object)
                    try expectReal(problem, "\(operation) \(status ?? "") \(example.key)")
                    if status == "default" { continue }
                    #expect(problem["status"]?.number?.literal == status, "\(operation) \(example.key)")
                }
            }
        }
    }

    @Test("the examples of a stream are what the reference client reads: frames of one line, well ended or with an error")
    func streamsAreReal() throws {
        let operation = try #require(contract.operation("POST", "/api/complete"))
        let content = try #require(contract.contents(of: operation).first { $0.type == "text/event-stream" }?.content)
        let examples = content["examples"]?.object?.members ?? []
        #expect(examples.map(\.key) == ["done", "error"])
        for example in examples {
            let text = try #require(example.value.object?["value"]?.string)
            #expect(text.hasSuffix("\n\n"))
            var frames = text.split(separator: "\n\n").map { String($0) }
            let last = frames.removeLast()
            if example.key == "done" {
                #expect(last == "data: [DONE]")
            } else {
                #expect(last.hasPrefix("event: error\ndata: "))
                let problem = try JSONValue(parsing: String(last.dropFirst("event: error\ndata: ".count)))
                #expect(validator.violations(of: problem, against: try #require(contract.schema("Problem"))) == [])
                try expectReal(try #require(problem.object), "error")
            }
            for frame in frames where !frame.hasPrefix(":") {
                #expect(frame.hasPrefix("data: ") && !frame.contains("\n"))
                let chunk = try JSONValue(parsing: String(frame.dropFirst(6)))
                #expect(validator.violations(of: chunk, against: try #require(contract.schema("CompletionChunk"))) == [])
            }
        }
    }

    private func expectReal(_ problem: JSONObject, _ place: String) throws {
        let code = try #require(ErrorCode(rawValue: problem["code"]?.string ?? ""), "\(place)")
        #expect(problem["type"]?.string == "urn:playground:error:\(code.rawValue)", "\(place)")
        #expect(problem["title"]?.string == code.meaning, "\(place)")
        #expect(problem["status"]?.number?.integer == Int64(code.status.code), "\(place)")
        #expect(problem["retryable"]?.bool == code.isRetryable, "\(place)")
        let first = problem["errors"]?.array?.first?.object
        #expect(problem["param"] == first?["param"], "\(place)")
    }
}
