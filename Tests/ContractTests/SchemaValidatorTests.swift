import StrictJSON
import TestSupport
import Testing

@Suite("The schema validator")
struct SchemaValidatorTests {
    private static let yaml = """
        openapi: 3.1.0
        paths:
          /things/{id}:
            get:
              responses:
                '200': { content: { application/json: { schema: { $ref: '#/components/schemas/Thing' } } } }
                '204': { description: gone }
                default: { content: { application/problem+json: { schema: { type: object, required: [code] } } } }
        components:
          schemas:
            Thing:
              type: object
              required: [id]
              properties:
                id: { type: string, format: uuid }
                count: { type: integer, format: int32, minimum: 1, maximum: 5 }
                names: { type: array, maxItems: 2, items: { type: string, minLength: 1, maxLength: 3 } }
                at: { type: string, format: date-time }
                on: { type: string, format: date }
                kind: { type: string, enum: [a, b] }
                inner: { type: object, additionalProperties: false, properties: { ok: { type: boolean } } }
                map: { type: object, additionalProperties: { type: number } }
                any: { description: whatever }
            Odd: { type: string, pattern: x }
        """
    private static let id = #""id":"019f5d3c-0b7e-7c2a-9a41-6f2f0f6b1c55""#

    @Test(
        "accepts what fits, also fields that it does not know",
        arguments: [
            "{\(id)}", "{\(id),\"new\":1,\"any\":null}", "{\(id),\"count\":5,\"names\":[\"a\",\"äöü\"],\"kind\":\"b\"}",
            "{\(id),\"at\":\"2026-11-22T15:04:05.678Z\",\"inner\":{\"ok\":true},\"map\":{\"x\":1.5}}",
        ])
    func accepts(_ json: String) throws {
        #expect(try Self.violations(json) == [])
    }

    @Test(
        "says where something does not fit",
        arguments: [
            ("[]", ": is not of the type object"), ("{}", ".id: is missing"), (#"{"id":"7"}"#, ".id: is not of the format uuid"),
            ("{\(id),\"count\":0}", ".count: is less than 1.0"), ("{\(id),\"count\":6}", ".count: is more than 5.0"),
            ("{\(id),\"count\":1.5}", ".count: is not of the type integer"),
            ("{\(id),\"count\":null}", ".count: is not of the type integer"),
            ("{\(id),\"names\":[\"a\",\"\"]}", ".names.1: is shorter than 1.0"),
            ("{\(id),\"names\":[\"abcd\"]}", ".names.0: is longer than 3.0"),
            ("{\(id),\"names\":[\"a\",\"b\",\"c\"]}", ".names: has more than 2.0 elements"),
            ("{\(id),\"at\":\"yesterday\"}", ".at: is not of the format date-time"),
            ("{\(id),\"on\":\"2026-11-22T00:00:00Z\"}", ".on: is not of the format date"),
            ("{\(id),\"kind\":\"c\"}", ".kind: is none of the values"),
            ("{\(id),\"inner\":{\"no\":1}}", ".inner.no: is not a field"),
            ("{\(id),\"map\":{\"x\":\"1\"}}", ".map.x: is not of the type number"),
        ])
    func refuses(_ json: String, _ complaint: String) throws {
        #expect(try Self.violations(json) == [complaint])
    }

    @Test("complains about a keyword that it does not know, instead of passing over it")
    func unknownKeyword() throws {
        let contract = try APIContract(yaml: Self.yaml)
        let schema = try #require(contract.schema("Odd"))
        let violations = SchemaValidator(contract: contract).violations(of: .string("x"), against: schema)
        #expect(violations == [": the keyword pattern is not known"])
    }

    @Test("judges a whole answer: status, media type and body")
    func wholeAnswers() throws {
        let contract = try APIContract(yaml: Self.yaml)
        let judge = { (method: String, path: String, status: Int, type: String?, body: String) in
            contract.violations(method, path, status: status, contentType: type, body: Array(body.utf8))
        }
        let good = "{\(Self.id)}"
        #expect(judge("GET", "/things/1", 200, "application/json; charset=utf-8", good) == [])
        #expect(judge("GET", "/things/1", 204, nil, "") == [])
        #expect(judge("GET", "/things/1", 404, "application/problem+json", #"{"code":"x"}"#) == [])
        #expect(judge("GET", "/things/1", 404, "application/problem+json", "{}") == ["GET /things/{id} 404.code: is missing"])
        #expect(judge("GET", "/things/1", 200, "text/html", good) == ["GET /things/{id} 200 is not text/html"])
        #expect(judge("GET", "/things/1", 200, "application/json", "{") == ["GET /things/{id} 200 is not JSON"])
        #expect(judge("GET", "/things/1", 204, nil, "x") == ["GET /things/{id} 204 has no body, but 1 bytes came"])
        #expect(judge("PUT", "/things/1", 200, nil, "") == ["PUT /things/1 is not in the contract"])
    }

    private static func violations(_ json: String) throws -> [String] {
        let contract = try APIContract(yaml: yaml)
        return SchemaValidator(contract: contract).violations(
            of: try JSONValue(parsing: json), against: try #require(contract.schema("Thing")))
    }
}
