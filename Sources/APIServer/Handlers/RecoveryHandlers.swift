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

    init(recovery: AccountRecovery, throttle: LoginThrottle) {
        self.recovery = recovery
        self.throttle = throttle
    }

    /// Always the same answer after the same work, so that nobody learns who has an account.
    func forgot(_ context: RequestContext) async throws -> Reply {
        var reader = try await context.fields()
        let text = reader.requiredString("email", bytes: 1024)
        try reader.finish()
        let email = try EmailAddress(parsing: text)
        try await throttle.mail(to: email.digest, from: ClientOrigin(context.clientAddress)) { () async throws(ServiceError) in
            try await recovery.requestReset(email)
        }
        return .response(.json(.accepted) { $0.member("status", "accepted") })
    }

    /// Also what an invitation leads to.
    func reset(_ context: RequestContext) async throws -> Reply {
        var reader = try await context.fields()
        let token = reader.requiredString("token", bytes: 1024)
        let password = reader.requiredString("new_password", bytes: 4096)
        try reader.finish()
        try await recovery.setPassword(password, by: token)
        return .response(Response(status: .noContent))
    }

    func verify(_ context: RequestContext) async throws -> Reply {
        var reader = try await context.fields()
        let token = reader.requiredString("token", bytes: 1024)
        try reader.finish()
        try await recovery.confirmEmail(by: token)
        return .response(Response(status: .noContent))
    }
}
