import Auth
import HTTPServer
import HTTPTypes
import PlaygroundCore
import RateLimit
import StrictJSON

/// Accounts by mail, for who is not logged in: a lost password, an address to confirm.
final class RecoveryHandlers {
    private let recovery: AccountRecovery
    private let throttle: LoginThrottle
    private let audit: AuditLog

    init(recovery: AccountRecovery, throttle: LoginThrottle, audit: AuditLog) {
        self.recovery = recovery
        self.throttle = throttle
        self.audit = audit
    }

    /// Always the same answer after the same work, so that nobody learns who has an account.
    func forgot(_ context: RequestContext) async throws -> Reply {
        var reader = try await context.fields()
        let text = reader.requiredString("email", bytes: 1024)
        try reader.finish()
        let email = try EmailAddress(parsing: text)
        let subject = AuditEvent.Subject.address(email)
        do {
            try await throttle.mail(to: email.digest, from: ClientOrigin(context.clientAddress)) {
                () async throws(ServiceError) in
                try await recovery.requestReset(email)
            }
        } catch {
            if error.code == .tooManyAttempts {
                audit.record(AuditEvent(.passwordResetRequested, .throttled, of: subject, from: context.auditOrigin))
            }
            throw error
        }
        audit.record(AuditEvent(.passwordResetRequested, by: .unknown, of: subject, from: context.auditOrigin))
        return .response(.json(.accepted) { $0.member("status", "accepted") })
    }

    /// Also what an invitation leads to.
    func reset(_ context: RequestContext) async throws -> Reply {
        var reader = try await context.fields()
        let token = reader.requiredString("token", bytes: 1024)
        let password = reader.requiredString("new_password", bytes: 4096)
        try reader.finish()
        let used = try await audited(.passwordReset, context) { () async throws(ServiceError) in
            try await recovery.setPassword(password, by: token)
        }
        audit.record(
            AuditEvent(used.isInvited ? .invitationAccepted : .passwordReset, of: .user(used.user), from: context.auditOrigin))
        return .response(Response(status: .noContent))
    }

    func verify(_ context: RequestContext) async throws -> Reply {
        var reader = try await context.fields()
        let token = reader.requiredString("token", bytes: 1024)
        try reader.finish()
        let used = try await audited(.emailVerified, context) { () async throws(ServiceError) in
            try await recovery.confirmEmail(by: token)
        }
        audit.record(AuditEvent(used.isChanged ? .emailChanged : .emailVerified, of: .user(used.user), from: context.auditOrigin))
        return .response(Response(status: .noContent))
    }

    /// Tells the audit trail of links that are no good.
    private func audited<Value>(
        _ kind: AuditEvent.Kind, _ context: RequestContext, _ body: () async throws(ServiceError) -> Value
    ) async throws(ServiceError) -> Value {
        do {
            return try await body()
        } catch {
            if error.code == .linkInvalid { audit.record(AuditEvent(kind, .failed, from: context.auditOrigin)) }
            throw error
        }
    }
}
