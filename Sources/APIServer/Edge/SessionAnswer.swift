import Auth
import HTTPCore
import HTTPServer
import HTTPTypes
import PlaygroundCore
import StrictJSON

/// The answer that starts or renews a session: tokens in the body or, for frontends of our own origin, in cookies.
struct SessionAnswer {
    /// How a client wants its tokens.
    enum Delivery {
        case body, cookie

        init(_ reader: inout FieldReader) {
            self = .body
            guard let text = reader.string("token_delivery") else { return }
            switch text {
            case "cookie": self = .cookie
            case "body": break
            default: reader.note("token_delivery", .invalidValue, "has to be `body` or `cookie`")
            }
        }
    }

    let session: IssuedSession
    let delivery: Delivery

    var response: Response {
        var fields = ResponseFields()
        if delivery == .cookie {
            SessionCookies.set(
                accessToken: session.accessToken, lifetime: session.expiresIn, refreshToken: session.refreshToken,
                refreshLifetime: session.refreshExpiresIn, in: &fields)
        }
        return .json(fields: fields) { writer in
            if delivery == .body {
                writer.member("access_token", session.accessToken)
                writer.member("token_type", "Bearer")
            }
            writer.member("expires_in", session.expiresIn)
            if delivery == .body { writer.member("refresh_token", session.refreshToken) }
            writer.member("refresh_expires_in", session.refreshExpiresIn)
            writer.member("user") { $0.object { Self.members(of: session.user, &$0) } }
        }
    }

    static func members(of user: User, _ writer: inout JSONWriter) {
        writer.member("id", user.id)
        writer.member("email", user.email)
        writer.member("plan", user.plan)
        writer.member("created_at", user.createdAt)
    }
}
