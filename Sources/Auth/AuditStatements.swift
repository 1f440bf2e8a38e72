import PlaygroundCore
import Postgres
import StrictJSON

/// The SQL of the audit trail. Servers write through functions and read nothing.
enum AuditStatements {
    /// Writes events; what was written before only gets its new count. $1 a JSON array of objects.
    static let record = PostgresStatement("audit_record", "select record_audit_events($1::text::jsonb)")

    /// Removes what is older than $1 days, $2 at most; how many.
    static let purge = PostgresStatement("audit_purge", "select purge_audit_events($1, $2)")
}

extension AuditQueue.Row {
    /// Writes the row as `record_audit_events` reads it.
    /// - Parameters:
    ///   - now: monotonic microseconds.
    ///   - account: stands for an address that may have no account; nil where nothing shall.
    func write(to writer: inout JSONWriter, now: Int64, account: (EmailAddress) -> String?) {
        writer.object { writer in
            writer.member("id", id.description)
            writer.member("age_us", max(0, now - at))
            writer.member("last_age_us", max(0, now - lastAt))
            writer.member("kind", event.kind.rawValue)
            writer.member("outcome", event.outcome.rawValue)
            switch event.actor {
            case .unknown: break
            case .subject: writer.member("is_own", true)
            case .user(let user): writer.member("actor_id", user)
            }
            switch event.subject {
            case .unnamed: break
            case .user(let user): writer.member("subject_id", user)
            case .address(let address):
                writer.member("email", address.description)
                writer.member("account", account(address))
            }
            writer.member("session_id", event.session?.description)
            writer.member("address", event.origin.address)
            writer.member("user_agent", event.origin.userAgent)
            writer.member("request_id", event.origin.requestID?.description)
            writer.member("detail", event.detail)
            writer.member("count", count)
        }
    }
}
