import Auth
import HTTPServer
import HTTPTypes
import PlaygroundCore
import RateLimit

/// `POST /api/me/password`: a new password for who knows the old one.
final class PasswordHandlers {
    private let passwords: PasswordChange
    private let throttle: LoginThrottle

    init(passwords: PasswordChange, throttle: LoginThrottle) {
        self.passwords = passwords
        self.throttle = throttle
    }

    /// The new one is judged first, so that a typing mistake in it costs no attempt. Guesses at the old one count as log-ins do.
    func change(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        var reader = try await context.fields()
        let current = reader.requiredString("current_password", bytes: 4096)
        let new = reader.requiredString("new_password", bytes: 4096)
        try reader.finish()
        let credentials = try await passwords.credentials(of: principal)
        try PasswordPolicy.check(new, for: credentials.email, field: "new_password")
        do throws(ServiceError) {
            try await throttle.login(account: credentials.email.digest, from: ClientOrigin(context.clientAddress)) {
                () async throws(ServiceError) in
                try await passwords.prove(current, credentials)
            }
        } catch {
            // A client logs out at a 401, and here the session is good.
            throw error.code == .invalidCredentials ? ServiceError(.wrongPassword) : error
        }
        try await passwords.change(to: new, credentials, by: principal)
        return .response(Response(status: .noContent))
    }
}
