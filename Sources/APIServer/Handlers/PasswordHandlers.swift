import Auth
import HTTPServer
import HTTPTypes
import PlaygroundCore
import RateLimit

/// `POST /api/me/password`: a new password for who knows the old one.
final class PasswordHandlers {
    private let passwords: PasswordChange
    private let throttle: LoginThrottle
    private let audit: AuditLog

    init(passwords: PasswordChange, throttle: LoginThrottle, audit: AuditLog) {
        self.passwords = passwords
        self.throttle = throttle
        self.audit = audit
    }

    /// The new one is judged first, so that a typing mistake in it costs no attempt. Guesses at the old one count as log-ins do.
    func change(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        var reader = try await context.fields()
        let current = reader.requiredString("current_password", bytes: 4096)
        let new = reader.requiredString("new_password", bytes: 4096)
        try reader.finish()
        let credentials = try await passwords.credentials(of: principal)
        try PasswordPolicy.check(new, for: credentials.email, field: "new_password")
        guard let email = credentials.email else { throw ServiceError(.wrongPassword) }
        do throws(ServiceError) {
            try await throttle.login(account: email.digest, from: ClientOrigin(context.clientAddress)) {
                () async throws(ServiceError) in
                try await passwords.prove(current, credentials)
            }
        } catch {
            switch error.code {
            case .invalidCredentials:
                audit.record(event(.failed, context, principal))
                // A client logs out at a 401, and here the session is good.
                throw ServiceError(.wrongPassword)
            case .tooManyAttempts: audit.record(event(.throttled, context, principal))
            default: break
            }
            throw error
        }
        try await passwords.change(to: new, credentials, by: principal)
        audit.record(event(.succeeded, context, principal))
        return .response(Response(status: .noContent))
    }

    private func event(_ outcome: AuditEvent.Outcome, _ context: RequestContext, _ principal: Principal) -> AuditEvent {
        AuditEvent(
            .passwordChanged, outcome, by: .subject, of: .user(principal.userID), session: principal.sessionID,
            from: context.auditOrigin)
    }
}
