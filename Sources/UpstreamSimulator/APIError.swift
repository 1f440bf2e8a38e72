import StrictJSON

/// An error answer in the upstream's envelope.
struct APIError: Error, Equatable {
    let status: Int
    let message: String
    let type: String
    var param: String?
    var code: String?
    /// Whether the answer carries the rate limit's fields; the recorded 404 does not.
    var hasRateFields = true

    static func badRequest(_ message: String, param: String? = nil, code: String? = nil) -> APIError {
        APIError(status: 400, message: message, type: "invalid_request_error", param: param, code: code)
    }

    static func modelNotFound(_ model: String) -> APIError {
        APIError(
            status: 404, message: "The model `\(model)` does not exist or you do not have access to it.",
            type: "invalid_request_error", code: "model_not_found", hasRateFields: false)
    }

    static let missingKey = APIError(
        status: 401,
        message: "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
            + "(i.e. Authorization: Bearer YOUR_KEY).",
        type: "invalid_request_error", hasRateFields: false)

    static let wrongKey = APIError(
        status: 401, message: "Incorrect API key provided.", type: "invalid_request_error", code: "invalid_api_key",
        hasRateFields: false)

    static let notFound = APIError(
        status: 404, message: "Invalid URL", type: "invalid_request_error", hasRateFields: false)

    /// What a `status` directive asks for; type and code as such an answer usually has them.
    static func simulated(_ directives: Directives) -> APIError {
        let (type, code): (String, String?) =
            switch directives.status {
            case 400, 404, 413, 422: ("invalid_request_error", nil)
            case 401: ("invalid_request_error", "invalid_api_key")
            case 403: ("invalid_request_error", "unsupported_country_region_territory")
            case 429: ("requests", "rate_limit_exceeded")
            default: ("server_error", nil)
            }
        return APIError(
            status: directives.status, message: "simulated \(directives.status)", type: directives.type ?? type,
            code: directives.code ?? code)
    }

    /// The envelope. Errors of a field and all others came, when they were recorded, in two orders and two indentations.
    var body: [UInt8] {
        let code = code?.jsonText ?? "null"
        let param = param?.jsonText ?? "null"
        let text =
            if hasRateFields {
                """
                {
                  "error": {
                    "code": \(code),
                    "message": \(message.jsonText),
                    "param": \(param),
                    "type": \(type.jsonText)
                  }
                }
                """
            } else {
                """
                {
                    "error": {
                        "message": \(message.jsonText),
                        "type": \(type.jsonText),
                        "param": \(param),
                        "code": \(code)
                    }
                }

                """
            }
        return Array(text.utf8)
    }

    /// The same as an event inside a stream.
    func event(_ shape: Directives.ErrorShape) -> [UInt8] {
        var writer = JSONWriter()
        let members: (inout JSONWriter) -> Void = { [self] writer in
            writer.member("message", message)
            writer.member("type", type)
            writer.member("param", param.map(JSONValue.string) ?? .null)
        }
        writer.object { writer in
            switch shape {
            case .openai:
                writer.member("error") { writer in
                    writer.object { writer in
                        members(&writer)
                        writer.member("code", code.map(JSONValue.string) ?? .null)
                    }
                }
            case .vllm:
                writer.member("object", "error")
                members(&writer)
                writer.member("code", status)
            }
        }
        return writer.bytes
    }
}
