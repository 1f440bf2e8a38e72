import HTTPCore
import HTTPServer
import HTTPTypes
import OIDC

/// The cookie that binds a log-in through an identity provider to the browser that it began in.
struct LoginCookies: Sendable {
    /// Seconds: as long as a log-in may be under way.
    private static let lifetime = 600

    /// Whether browsers reach this API over TLS. Where they do not, which is on one machine alone, cookies cannot say `Secure`.
    let isSecure: Bool

    func value(_ mode: ProviderConfiguration.ResponseMode, of request: Request) -> RandomToken? {
        SessionCookies.value(of: name(mode), in: request).flatMap { RandomToken($0) }
    }

    /// A form that another site posts brings only cookies that say `SameSite=None`; they have a name of their own.
    func set(_ browser: RandomToken, _ mode: ProviderConfiguration.ResponseMode, in fields: inout ResponseFields) {
        let attributes =
            switch (isSecure, mode) {
            case (true, .query): "; Secure; SameSite=Lax"
            case (true, .formPost): "; Secure; SameSite=None"
            case (false, _): "; SameSite=Lax"
            }
        fields.append(
            .setCookie, "\(name(mode))=\(browser.text); Path=/; Max-Age=\(Self.lifetime); HttpOnly\(attributes)")
    }

    /// `__Host-`: set by this very host, so that no sibling can plant one (RFC 6265bis, 4.1.3.2).
    private func name(_ mode: ProviderConfiguration.ResponseMode) -> String {
        (isSecure ? "__Host-" : "") + (mode == .query ? "playground-login" : "playground-login-post")
    }
}
