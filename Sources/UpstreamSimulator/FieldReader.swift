import StrictJSON

/// Takes typed members out of a request, in the recorded words where one does not fit.
struct FieldReader {
    let object: JSONObject

    func string(_ name: String) throws(APIError) -> String? {
        switch object[name] {
        case nil, .null: nil
        case .string(let text): text
        case let value: throw Self.wrongType(name, "a string", value)
        }
    }

    func bool(_ name: String) throws(APIError) -> Bool? {
        switch object[name] {
        case nil, .null: nil
        case .bool(let bool): bool
        case let value: throw Self.wrongType(name, "a boolean", value)
        }
    }

    func integer(_ name: String, _ range: ClosedRange<Int64>) throws(APIError) -> Int64? {
        guard let value = object[name], value != .null else { return nil }
        guard let number = value.number?.integer else { throw Self.wrongType(name, "an integer", value) }
        if number < range.lowerBound { throw Self.below("integer", name, String(range.lowerBound), String(number)) }
        if number > range.upperBound { throw Self.above("integer", name, String(range.upperBound), String(number)) }
        return number
    }

    func decimal(_ name: String, _ range: ClosedRange<Double>) throws(APIError) -> Double? {
        guard let value = object[name], value != .null else { return nil }
        guard let literal = value.number, let number = literal.double else { throw Self.wrongType(name, "a decimal", value) }
        if number < range.lowerBound { throw Self.below("decimal", name, range.lowerBound.jsonText, literal.literal) }
        if number > range.upperBound { throw Self.above("decimal", name, range.upperBound.jsonText, literal.literal) }
        return number
    }

    static func wrongType(_ name: String, _ expected: String, _ value: JSONValue?) -> APIError {
        let got =
            switch value {
            case nil, .null: "null"
            case .bool: "a boolean"
            case .number(let number): number.integer == nil ? "a decimal number" : "an integer"
            case .string: "a string"
            case .array: "an array"
            case .object: "an object"
            }
        return .badRequest(
            "Invalid type for '\(name)': expected \(expected), but got \(got) instead.", param: name, code: "invalid_type")
    }

    private static func below(_ kind: String, _ name: String, _ bound: String, _ got: String) -> APIError {
        .badRequest(
            "Invalid '\(name)': \(kind) below minimum value. Expected a value >= \(bound), but got \(got) instead.",
            param: name, code: "\(kind)_below_min_value")
    }

    private static func above(_ kind: String, _ name: String, _ bound: String, _ got: String) -> APIError {
        .badRequest(
            "Invalid '\(name)': \(kind) above maximum value. Expected a value <= \(bound), but got \(got) instead.",
            param: name, code: "\(kind)_above_max_value")
    }
}
