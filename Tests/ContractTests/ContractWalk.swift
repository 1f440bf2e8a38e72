import StrictJSON
import TestSupport

extension JSONValue {
    /// Every object inside, and this one.
    func visit(_ place: String = "#", _ body: (String, JSONObject) -> Void) {
        if let object {
            body(place, object)
            for member in object.members { member.value.visit("\(place)/\(member.key)", body) }
        }
        for (index, element) in (array ?? []).enumerated() { element.visit("\(place)/\(index)", body) }
    }
}

extension APIContract {
    typealias PlacedSchema = (place: String, schema: JSONObject)

    enum Direction {
        case requests, answers
    }

    /// Every schema, also inside of others, with the place it is declared at. No schema twice.
    var everySchema: [PlacedSchema] {
        let declared = document.object?["components"]?.object?["schemas"]?.object?.members ?? []
        return schemas(of: .requests) + schemas(of: .answers)
            + declared.flatMap { schemas(within: $0.value, at: "#/components/schemas/\($0.key)") }
    }

    /// The schemas of all request bodies and parameters, or of all answers' bodies and fields.
    func schemas(of direction: Direction) -> [PlacedSchema] {
        var found: [String: JSONObject] = [:]
        for operation in operations {
            for (place, root) in roots(of: operation, direction) {
                for (place, schema) in schemas(within: root, at: place) { found[place] = schema }
            }
        }
        if direction == .answers, let chunk = schema("CompletionChunk") {
            for (place, schema) in schemas(within: chunk, at: "#/components/schemas/CompletionChunk") { found[place] = schema }
        }
        return found.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// The parameters of an operation, those of its path included.
    func parameters(of operation: Operation) -> [JSONObject] {
        let path = document.object?["paths"]?.object?[operation.path]?.object
        let all = (path?["parameters"]?.array ?? []) + (operation.members["parameters"]?.array ?? [])
        return all.compactMap { resolved($0)?.object }
    }

    /// Every media type of an operation, with the status it answers, nil for the request.
    func contents(of operation: Operation) -> [(status: String?, type: String, content: JSONObject)] {
        let request = resolved(operation.members["requestBody"])?.object.map { [(nil as String?, $0)] } ?? []
        let answers = (operation.members["responses"]?.object?.members ?? []).compactMap { member in
            resolved(member.value)?.object.map { (member.key as String?, $0) }
        }
        return (request + answers).flatMap { status, owner in
            (owner["content"]?.object?.members ?? []).map { (status, $0.key, $0.value.object ?? JSONObject()) }
        }
    }

    private func roots(of operation: Operation, _ direction: Direction) -> [(String, JSONValue)] {
        var roots = contents(of: operation).compactMap { status, type, content -> (String, JSONValue)? in
            guard (status == nil) == (direction == .requests), let schema = content["schema"] else { return nil }
            return ("\(operation) \(status ?? "request") \(type)", schema)
        }
        switch direction {
        case .requests:
            for parameter in parameters(of: operation) {
                if let schema = parameter["schema"] { roots.append(("\(operation) \(parameter["name"]?.string ?? "?")", schema)) }
            }
        case .answers:
            for member in operation.members["responses"]?.object?.members ?? [] {
                for header in resolved(member.value)?.object?["headers"]?.object?.members ?? [] {
                    guard let schema = resolved(header.value)?.object?["schema"] else { continue }
                    roots.append(("\(operation) \(member.key) \(header.key)", schema))
                }
            }
        }
        return roots
    }

    private func schemas(within schema: JSONValue, at place: String) -> [PlacedSchema] {
        let place = schema.object?["$ref"]?.string ?? place
        guard let object = resolved(schema)?.object else { return [] }
        var inner = (object["properties"]?.object?.members ?? []).map { ("\(place).\($0.key)", $0.value) }
        if let items = object["items"] { inner.append(("\(place)[]", items)) }
        if let additional = object["additionalProperties"], additional.object != nil { inner.append(("\(place){}", additional)) }
        return [(place, object)] + inner.flatMap { schemas(within: $0.1, at: $0.0) }
    }
}
