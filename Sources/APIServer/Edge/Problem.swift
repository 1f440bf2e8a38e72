import EventLoop
import HTTPCore
import HTTPServer
import HTTPTypes
import PlaygroundCore
import StrictJSON

/// Renders a ``ServiceError`` as a problem (RFC 9457), the one shape of every error of this API.
enum Problem {
    /// Where the codes are explained; a code's own address is this with the code behind it.
    private static let typeBase = "urn:playground:error:"

    /// The problem object in one line, as it stands in a body and in a stream's `event: error`.
    static func json(_ error: ServiceError, requestID: RequestID?) -> [UInt8] {
        var writer = JSONWriter(capacity: 384)
        writer.object { writer in
            writer.member("type", typeBase + error.code.rawValue)
            writer.member("title", error.code.meaning)
            writer.member("status", error.code.status.code)
            writer.member("detail", error.detail)
            writer.member("code", error.code.rawValue)
            writer.member("param", error.param)
            if !error.errors.isEmpty {
                writer.member("errors") { writer in
                    writer.array { writer in
                        for field in error.errors {
                            writer.object { writer in
                                writer.member("param", field.param)
                                writer.member("code", field.code.rawValue)
                                writer.member("detail", field.detail)
                            }
                        }
                    }
                }
            }
            writer.member("phase", error.phase?.rawValue)
            writer.member("scope", error.scope?.rawValue)
            writer.member("retryable", error.retryable)
            writer.member("retry_after_ms", error.retryAfter?.wholeMilliseconds)
            writer.member("request_id", requestID)
        }
        return writer.bytes
    }

    /// The whole answer, with the fields that tell a client what to do next.
    static func response(_ error: ServiceError, requestID: RequestID?) -> Response {
        var fields = ResponseFields()
        fields[.contentType] = "application/problem+json; charset=utf-8"
        if let wait = error.retryAfter {
            let milliseconds = max(1, wait.wholeMilliseconds)
            fields[.retryAfter] = String((milliseconds + 999) / 1000)
            fields[.retryAfterMilliseconds] = String(milliseconds)
        }
        // Official clients retry every 429 and 5xx unless they are told that it is of no use.
        if error.code.status.code == 429, !error.retryable { fields[.shouldRetry] = "false" }
        if error.code.status == .unauthorized || error.code == .insufficientScope {
            fields[.wwwAuthenticate] = challenge(error)
        }
        return Response(status: error.code.status, fields: fields, body: json(error, requestID: requestID))
    }

    /// RFC 6750, section 3.
    private static func challenge(_ error: ServiceError) -> String {
        switch error.code {
        case .tokenMissing, .invalidCredentials, .idTokenInvalid: "Bearer"
        case .insufficientScope:
            "Bearer error=\"insufficient_scope\"" + (error.scope.map { ", scope=\"\($0.rawValue)\"" } ?? "")
        default: "Bearer error=\"invalid_token\", error_description=\"\(error.code.rawValue)\""
        }
    }
}
