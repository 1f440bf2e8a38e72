import StrictJSON
import TestSupport
import Testing

@Suite("The contract keeps to what all client generators understand")
struct SpecificationRuleTests {
    let contract: APIContract

    init() throws {
        contract = try APIContract.ofProject()
    }

    @Test("it is OpenAPI 3.1")
    func version() {
        #expect(contract.document.object?["openapi"]?.string == "3.1.0")
    }

    @Test("every reference resolves, and nothing stands beside one")
    func referencesResolve() {
        contract.document.visit { place, object in
            guard object["$ref"] != nil else { return }
            #expect(object.count == 1, "\(place)")
            #expect(contract.resolved(.object(object)) != nil, "\(place)")
        }
    }

    @Test("schemas use only keywords that mean the same in 3.0 and 3.1: no const, oneOf, anyOf, default, type arrays")
    func keywords() {
        for (place, schema) in contract.everySchema {
            let unknown = Set(schema.keys).subtracting(SchemaValidator.keywords)
            #expect(unknown.sorted() == [], "\(place)")
            if let type = schema["type"] { #expect(type.string != nil, "\(place): a list of types") }
        }
    }

    @Test("a request has closed objects; only what answers share with it is open")
    func requestsAreClosed() {
        let shared = Set(contract.schemas(of: .answers).map(\.place))
        for (place, schema) in contract.schemas(of: .requests) where schema["properties"] != nil && !shared.contains(place) {
            // What a provider has a browser post is the provider's.
            let isOurs = place != "#/components/schemas/ProviderAnswer"
            #expect(schema["additionalProperties"] == .bool(!isOurs), "\(place)")
        }
    }

    @Test("an answer has open objects, open strings and no limits, so that a client of today reads the answers of tomorrow")
    func answersAreOpen() {
        let closing = ["enum", "minimum", "maximum", "minLength", "maxLength", "maxItems"]
        for (place, schema) in contract.schemas(of: .answers) {
            for keyword in closing { #expect(schema[keyword] == nil, "\(place).\(keyword)") }
            #expect(schema["additionalProperties"] != .bool(false), "\(place)")
        }
    }

    @Test("every required field is declared")
    func requiredFieldsExist() {
        for (place, schema) in contract.everySchema {
            for name in schema["required"]?.array ?? [] {
                #expect(schema["properties"]?.object?[name.string ?? ""] != nil, "\(place).\(name)")
            }
        }
    }

    @Test("no header of a request is required")
    func headersAreOptional() {
        for operation in contract.operations {
            for parameter in contract.parameters(of: operation) where parameter["in"]?.string == "header" {
                #expect(parameter["required"] == .bool(false), "\(operation)")
            }
        }
    }

    @Test("operations have distinct ids that make good method names, a tag that is declared, a summary and a description")
    func operationsAreNamed() {
        let ids = contract.operations.compactMap { $0.members["operationId"]?.string }
        #expect(Set(ids).count == contract.operations.count)
        #expect(ids.filter { $0.wholeMatch(of: /[a-z][a-zA-Z]{2,29}/) == nil } == [])
        let tags = Set(contract.document.object?["tags"]?.array?.compactMap { $0.object?["name"]?.string } ?? [])
        for operation in contract.operations {
            let own = operation.members["tags"]?.array?.compactMap(\.string) ?? []
            #expect(own.count == 1 && tags.isSuperset(of: own), "\(operation)")
            #expect(operation.members["summary"]?.string?.isEmpty == false, "\(operation)")
            #expect(operation.members["description"]?.string?.isEmpty == false, "\(operation)")
        }
    }

    @Test("every answer names its request, every error is a problem, and every operation has a default")
    func answersAreUniform() throws {
        for operation in contract.operations {
            let responses = try #require(operation.members["responses"]?.object)
            #expect(responses["default"] != nil, "\(operation)")
            for member in responses.members {
                let response = try #require(contract.resolved(member.value)?.object)
                #expect(response["headers"]?.object?["X-Request-Id"] != nil, "\(operation) \(member.key)")
                if member.key < "4" { continue }
                let content = try #require(response["content"]?.object)
                #expect(content.keys == ["application/problem+json"], "\(operation) \(member.key)")
                let schema = content["application/problem+json"]?.object?["schema"]
                #expect(contract.resolved(schema) == contract.schema("Problem"), "\(operation) \(member.key)")
            }
        }
    }

    @Test("what a preset keeps can be said in a completion request, under the same names and types")
    func presetsFitCompletions() throws {
        let kept = try #require(contract.schema("CompletionParameters")?.object?["properties"]?.object)
        let asked = try #require(contract.schema("CompletionRequest")?.object?["properties"]?.object)
        for parameter in kept.members {
            #expect(asked[parameter.key]?.object?["type"] == parameter.value.object?["type"], "\(parameter.key)")
        }
    }
}
