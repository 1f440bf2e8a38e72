import StrictJSON
import TestSupport

extension RawClient.Response {
    /// The body as JSON; `null` where it is none.
    var json: JSONValue { (try? JSONValue(parsing: body)) ?? .null }

    /// A member, dotted: `errors.0.param`.
    subscript(path: String) -> JSONValue? { json[path] }

    /// The error's code; nil unless the body is a problem as every error of this API has to be.
    var problemCode: String? {
        guard head["content-type"] == "application/problem+json; charset=utf-8", let problem = json.object,
            problem["status"]?.number?.integer == Int64(status), problem["type"]?.string != nil,
            problem["title"]?.string != nil, problem["detail"]?.string != nil, problem["retryable"]?.bool != nil,
            problem["request_id"]?.string == head["x-request-id"], head["x-request-id"] != nil
        else { return nil }
        return problem["code"]?.string
    }
}

extension JSONValue {
    /// A member, dotted, with indices into arrays: `choices.0.text`.
    subscript(path: String) -> JSONValue? {
        path.split(separator: ".").reduce(self) { (value: JSONValue?, part) in
            if let index = Int(part), let elements = value?.array {
                return elements.indices.contains(index) ? elements[index] : nil
            }
            return value?.object?[String(part)]
        }
    }

    var integer: Int? { number?.integer.map { Int($0) } }
}
