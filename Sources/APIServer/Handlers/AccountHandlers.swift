import Auth
import EventLoop
import HTTPCore
import HTTPServer
import HTTPTypes
import PlaygroundCore
import RateLimit
import StrictJSON

/// What people do to their account as a whole: another address, all its data, its end.
final class AccountHandlers {
    private let passwords: PasswordChange
    private let recovery: AccountRecovery
    private let exports: AccountExport
    private let deletion: AccountDeletion
    private let throttle: LoginThrottle
    private let audit: AuditLog
    private let io: LoopIO

    init(
        passwords: PasswordChange, recovery: AccountRecovery, exports: AccountExport, deletion: AccountDeletion,
        throttle: LoginThrottle, audit: AuditLog, io: LoopIO
    ) {
        self.passwords = passwords
        self.recovery = recovery
        self.exports = exports
        self.deletion = deletion
        self.throttle = throttle
        self.audit = audit
        self.io = io
    }

    /// Sends a link to the new address. The answer is the same whether or not that has an account.
    func changeEmail(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        var reader = try await context.fields()
        let text = reader.requiredString("email", bytes: 1024)
        let password = reader.string("password", bytes: 4096)
        try reader.finish()
        let email = try EmailAddress(parsing: text)
        try recovery.requireMail()
        try await prove(password, context, principal, for: .emailChangeRequested)
        try await throttle.mail(to: email.digest, from: ClientOrigin(context.clientAddress)) { () async throws(ServiceError) in
            try await recovery.requestChange(of: principal.userID, to: email)
        }
        audit.record(
            AuditEvent(
                .emailChangeRequested, of: .user(principal.userID), session: principal.sessionID, from: context.auditOrigin))
        return .response(.json(.accepted) { $0.member("status", "accepted") })
    }

    /// Everything of the user and of nobody else, as one JSON document that is written while it is read.
    func export(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        let account = try await exports.account(of: principal.userID)
        audit.record(
            AuditEvent(.dataExported, of: .user(principal.userID), session: principal.sessionID, from: context.auditOrigin))
        return .deferred {
            var fields = ResponseFields()
            fields.append(.contentType, "application/json; charset=utf-8")
            fields.append(.contentDisposition, "attachment; filename=\"playground-account.json\"")
            let writer = AnswerWriter(context.request.openStream(status: .ok, fields: fields), io: self.io)
            do throws(ServiceError) {
                try await self.write(account, principal.userID, to: writer)
            } catch {
                // A document that breaks off is no JSON: nobody takes it for whole.
                context.noteFailure(error)
            }
            return .streamed
        }
    }

    /// The end of the account and of all that is its user's.
    func delete(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        var reader = try await context.optionalFields()
        let password = reader.string("password", bytes: 4096)
        try reader.finish()
        try await prove(password, context, principal, for: .accountDeleted)
        try await deletion.delete(principal.userID)
        audit.record(
            AuditEvent(.accountDeleted, of: .user(principal.userID), session: principal.sessionID, from: context.auditOrigin))
        var fields = ResponseFields()
        if SessionCookies.accessToken(of: context.request) != nil { SessionCookies.clear(in: &fields) }
        return .response(Response(status: .noContent, fields: fields))
    }

    // MARK: Small parts

    private func write(_ account: String, _ user: UserID, to writer: AnswerWriter) async throws(ServiceError) {
        await writer.write(#"{"account":\#(account)"#)
        for section in AccountExport.Section.allCases {
            await writer.write(#","\#(section.rawValue)":["#)
            var after: String?
            var isFirst = true
            repeat {
                if writer.isClosed { return }
                let page = try await exports.page(of: section, after: after, of: user)
                for element in page.elements {
                    await writer.write(isFirst ? element : "," + element)
                    isFirst = false
                }
                after = page.next
            } while after != nil
            await writer.write("]")
        }
        await writer.write("}", last: true)
    }

    /// Whoever holds a session for a moment does not hold the account: its password is asked for, as often as a log-in allows. An account
    /// that has none asks for a log-in of the last ten minutes.
    private func prove(
        _ password: String?, _ context: RequestContext, _ principal: Principal, for kind: AuditEvent.Kind
    ) async throws(ServiceError) {
        let credentials = try await passwords.credentials(of: principal)
        guard credentials.hasPassword, let email = credentials.email else {
            if credentials.isFresh { return }
            throw ServiceError(.reauthenticationRequired)
        }
        guard let password else { throw ServiceError(fields: [FieldError("password", .required, "The field is required")]) }
        do {
            try await throttle.login(account: email.digest, from: ClientOrigin(context.clientAddress)) {
                () async throws(ServiceError) in
                try await passwords.prove(password, credentials)
            }
        } catch {
            guard error.code == .invalidCredentials || error.code == .tooManyAttempts else { throw error }
            let isWrong = error.code == .invalidCredentials
            audit.record(
                AuditEvent(
                    kind, isWrong ? .failed : .throttled, of: .user(principal.userID), session: principal.sessionID,
                    from: context.auditOrigin))
            // A client logs out at a 401, and here the session is good.
            throw isWrong ? ServiceError(.wrongPassword) : error
        }
    }
}
