import Foundation
package import StrictJSON

/// Checks JSON values against the schemas of a contract: the subset of JSON Schema that the contract uses, and a complaint
/// about every keyword beyond it, so that nothing is passed over in silence.
package struct SchemaValidator: Sendable {
    /// Every keyword that a schema of the contract may have.
    package static let keywords: Set = [
        "$ref", "type", "format", "enum", "properties", "required", "additionalProperties", "items", "minimum", "maximum",
        "minLength", "maxLength", "maxItems", "description",
    ]

    private let contract: APIContract

    package init(contract: APIContract) {
        self.contract = contract
    }

    /// One sentence for each way in which the value is not what the schema says, with its place in front.
    package func violations(of value: JSONValue, against schema: JSONValue, at place: String = "") -> [String] {
        guard let members = contract.resolved(schema)?.object else { return ["\(place): the schema's reference leads nowhere"] }
        let unknown = members.keys.filter { !Self.keywords.contains($0) }.map { "\(place): the keyword \($0) is not known" }
        if let type = members["type"]?.string, let complaint = Self.mismatch(value, type) {
            return unknown + ["\(place): \(complaint)"]
        }
        let own = Self.format(value, members) + Self.limits(value, members)
        return unknown + own.map { "\(place): \($0)" } + object(value, members, place) + elements(value, members, place)
    }

    private func object(_ value: JSONValue, _ schema: JSONObject, _ place: String) -> [String] {
        guard let object = value.object else { return [] }
        let properties = schema["properties"]?.object ?? JSONObject()
        let required = schema["required"]?.array?.compactMap(\.string) ?? []
        let missing = required.filter { object[$0] == nil }.map { "\(place).\($0): is missing" }
        return missing
            + object.members.flatMap { member in
                let inner = "\(place).\(member.key)"
                if let property = properties[member.key] { return violations(of: member.value, against: property, at: inner) }
                switch schema["additionalProperties"] {
                case nil, .bool(true)?: return []
                case .bool(false)?: return ["\(inner): is not a field"]
                case let additional?: return violations(of: member.value, against: additional, at: inner)
                }
            }
    }

    private func elements(_ value: JSONValue, _ schema: JSONObject, _ place: String) -> [String] {
        guard let elements = value.array, let items = schema["items"] else { return [] }
        return elements.enumerated().flatMap { violations(of: $1, against: items, at: "\(place).\($0)") }
    }

    private static func mismatch(_ value: JSONValue, _ type: String) -> String? {
        let fits =
            switch type {
            case "string": value.string != nil
            case "integer": value.number?.integer != nil
            case "number": value.number != nil
            case "boolean": value.bool != nil
            case "array": value.array != nil
            case "object": value.object != nil
            default: false
            }
        return fits ? nil : "is not of the type \(type)"
    }

    private static func format(_ value: JSONValue, _ schema: JSONObject) -> [String] {
        guard let format = schema["format"]?.string else { return [] }
        let fits: Bool? =
            switch format {
            case "uuid": value.string.map { UUID(uuidString: $0) != nil }
            case "date-time": value.string?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/).map { _ in true }
            case "date": value.string?.wholeMatch(of: /\d{4}-\d\d-\d\d/).map { _ in true }
            case "int32": value.number?.integer.map { Int32(exactly: $0) != nil }
            case "int64": value.number?.integer.map { _ in true }
            case "double": value.number?.double.map { _ in true }
            default: nil
            }
        return fits == true ? [] : ["is not of the format \(format)"]
    }

    private static func limits(_ value: JSONValue, _ schema: JSONObject) -> [String] {
        var complaints: [String] = []
        if let choices = schema["enum"]?.array, !choices.contains(value) { complaints.append("is none of the values") }
        let bounds = { (name: String) in schema[name]?.number?.double }
        if let number = value.number?.double {
            if let least = bounds("minimum"), number < least { complaints.append("is less than \(least)") }
            if let most = bounds("maximum"), number > most { complaints.append("is more than \(most)") }
        }
        if let count = (value.string?.unicodeScalars.count).map(Double.init) {
            if let least = bounds("minLength"), count < least { complaints.append("is shorter than \(least)") }
            if let most = bounds("maxLength"), count > most { complaints.append("is longer than \(most)") }
        }
        if let count = value.array?.count, let most = bounds("maxItems"), Double(count) > most {
            complaints.append("has more than \(most) elements")
        }
        return complaints
    }
}
