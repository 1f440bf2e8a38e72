package import Foundation
package import StrictJSON
import Yams

/// `openapi.yaml` as tests read it: its operations, and whether an answer is one that it promises.
package struct APIContract: Sendable {
    package struct Operation: Sendable, CustomStringConvertible {
        /// In upper case: `GET`.
        package let method: String
        /// With its parameters: `/api/presets/{id}`.
        package let path: String
        package let members: JSONObject

        package var description: String { "\(method) \(path)" }
    }

    package let document: JSONValue
    package let operations: [Operation]

    private static let methods: Set = ["get", "put", "post", "delete", "options", "head", "patch", "trace"]

    /// - Throws: where the text is no YAML, or repeats a key.
    package init(yaml: String) throws {
        guard let node = try Yams.compose(yaml: yaml) else { throw TestFailure("the contract is empty") }
        document = try JSONValue(node)
        operations = (document.object?["paths"]?.object?.members ?? []).flatMap { path in
            (path.value.object?.members ?? []).filter { Self.methods.contains($0.key) }.map { operation in
                Operation(method: operation.key.uppercased(), path: path.key, members: operation.value.object ?? JSONObject())
            }
        }
    }

    /// The project's own.
    package static func ofProject() throws -> APIContract {
        try APIContract(yaml: String(contentsOf: projectDirectory.appending(path: "openapi.yaml"), encoding: .utf8))
    }

    /// Where Package.swift is.
    package static var projectDirectory: URL {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    }

    /// Follows a reference within the document, and what that refers to; nil where it leads nowhere.
    package func resolved(_ value: JSONValue?) -> JSONValue? {
        guard let reference = value?.object?["$ref"]?.string else { return value }
        guard reference.hasPrefix("#/") else { return nil }
        let target = reference.dropFirst(2).split(separator: "/").reduce(document as JSONValue?) { value, step in
            value?.object?[String(step.replacing("~1", with: "/").replacing("~0", with: "~"))]
        }
        return target == value ? nil : resolved(target)
    }

    /// A schema of `components`.
    package func schema(_ name: String) -> JSONValue? { document.object?["components"]?.object?["schemas"]?.object?[name] }

    /// The operation that a request's path, without its query, leads to.
    package func operation(_ method: String, _ path: String) -> Operation? {
        let segments = path.split(separator: "/", omittingEmptySubsequences: false)
        let fitting = operations.filter { operation in
            let pattern = operation.path.split(separator: "/", omittingEmptySubsequences: false)
            return operation.method == method && pattern.count == segments.count
                && zip(pattern, segments).allSatisfy { $0 == $1 || $0.hasPrefix("{") }
        }
        return fitting.first { $0.path == path } ?? fitting.first
    }

    /// What an operation says about a status, its `default` included.
    package func response(_ operation: Operation, status: Int) -> JSONObject? {
        let responses = operation.members["responses"]?.object
        return resolved(responses?["\(status)"] ?? responses?["default"])?.object
    }

    /// Whatever an answer has that the contract does not promise, one sentence each; none for a good one.
    ///
    /// - Parameters:
    ///   - path: as requested, without the query.
    ///   - contentType: the field's value; nil where it is absent.
    package func violations(
        _ method: String, _ path: String, status: Int, contentType: String?, body: [UInt8]
    ) -> [String] {
        guard let operation = operation(method, path) else { return ["\(method) \(path) is not in the contract"] }
        guard let response = response(operation, status: status) else { return ["\(operation) does not give \(status)"] }
        let place = "\(operation) \(status)"
        guard let content = response["content"]?.object else {
            return body.isEmpty ? [] : ["\(place) has no body, but \(body.count) bytes came"]
        }
        let type = contentType?.split(separator: ";").first?.trimmingCharacters(in: .whitespaces).lowercased() ?? ""
        guard let schema = content[type]?.object?["schema"] else { return ["\(place) is not \(type.isEmpty ? "untyped" : type)"] }
        guard type.hasSuffix("json") else { return [] }
        guard let value = try? JSONValue(parsing: body) else { return ["\(place) is not JSON"] }
        return SchemaValidator(contract: self).violations(of: value, against: schema, at: place)
    }
}

extension JSONValue {
    /// A YAML node in the JSON schema of YAML 1.2, as OpenAPI asks for: no dates, no merges, no anchors that matter.
    fileprivate init(_ node: Node) throws {
        switch node {
        case .mapping(let mapping):
            var object = JSONObject()
            for (key, value) in mapping {
                guard let key = key.string else { throw TestFailure("a key is not a string") }
                object[key] = try JSONValue(value)
            }
            self = .object(object)
        case .sequence(let sequence): self = .array(try sequence.map { try JSONValue($0) })
        case .scalar(let scalar): self = try Self.scalar(scalar, node.tag)
        case .alias: throw TestFailure("the contract has no aliases, so that every tool reads it")
        }
    }

    private static func scalar(_ scalar: Node.Scalar, _ tag: Tag) throws -> JSONValue {
        switch tag {
        case Tag(.null): .null
        case Tag(.bool) where ["true", "false"].contains(scalar.string): .bool(scalar.string == "true")
        case Tag(.int), Tag(.float): try JSONValue(parsing: scalar.string)
        case Tag(.str): .string(scalar.string)
        default: throw TestFailure("quote this, so that no tool takes it for something else: \(scalar.string)")
        }
    }
}
