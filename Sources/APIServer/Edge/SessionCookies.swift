import Auth
import HTTPCore
import HTTPServer
import HTTPTypes
import PlaygroundCore

/// The two cookies that carry a session for a frontend of the API's own origin.
enum SessionCookies {
    /// `__Host-`: set by this very host, for all its paths, over TLS only (RFC 6265bis, 4.1.3.2).
    private static let access = "__Host-playground-access"
    /// `__Secure-` rather than `__Host-`, because it is sent to the session routes alone.
    private static let refresh = "__Secure-playground-refresh"
    private static let refreshPath = "/api/auth"

    static func accessToken(of request: Request) -> String? { value(of: access, in: request) }
    static func refreshToken(of request: Request) -> String? { value(of: refresh, in: request) }

    static func set(
        accessToken: String, lifetime: Int64, refreshToken: String, refreshLifetime: Int64, in fields: inout ResponseFields
    ) {
        append(access, accessToken, path: "/", seconds: lifetime, to: &fields)
        append(refresh, refreshToken, path: refreshPath, seconds: refreshLifetime, to: &fields)
    }

    static func clear(in fields: inout ResponseFields) {
        append(access, "", path: "/", seconds: 0, to: &fields)
        append(refresh, "", path: refreshPath, seconds: 0, to: &fields)
    }

    private static func append(_ name: String, _ value: String, path: String, seconds: Int64, to fields: inout ResponseFields) {
        fields.append(.setCookie, "\(name)=\(value); Path=\(path); Max-Age=\(seconds); HttpOnly; Secure; SameSite=Lax")
    }

    /// Nil where it is absent or empty.
    static func value(of name: String, in request: Request) -> String? {
        for field in request.values(of: .cookie) {
            let value = Array(field.utf8).withUnsafeBufferPointer { CookieField.value(of: name, in: $0.span) }
            if let value, !value.isEmpty { return value }
        }
        return nil
    }
}
