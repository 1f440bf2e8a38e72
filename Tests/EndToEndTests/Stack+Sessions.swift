import Auth
import EventLoop
import PlaygroundCore
import TestSupport

extension Stack {
    /// A log-in of a throw-away user without its half second of hashing: a row, and the token that the server would have given.
    struct Session {
        let id: SessionID
        let user: UserID
        let accessToken: String
    }

    /// - Parameter secondsLeft: until the access token's end; it is accepted for 30 s more.
    func session(user index: Int = 0, secondsLeft: Int64 = AccessTokenCodec.lifetime) throws -> Session {
        let users = try rows("select id from users order by id")
        guard users.indices.contains(index), let text = users[index][0], let user = UserID(text) else {
            throw TestFailure("no user \(index)")
        }
        let row = try row(
            """
            insert into sessions (id, user_id, key_id, token_hash) \
            values (gen_random_uuid(), '\(user)', 'test', sha256(random()::text::bytea)) returning id
            """)
        guard let id = row[0].flatMap({ SessionID($0) }) else { throw TestFailure("no session: \(row)") }
        return Session(id: id, user: user, accessToken: try Self.token(user: user, session: id, secondsLeft: secondsLeft))
    }

    /// A token signed with the key that the servers of these tests have.
    static func token(user: UserID, session: SessionID, secondsLeft: Int64) throws -> String {
        let codec = AccessTokenCodec(keys: try KeyRing(parsing: sessionKeys))
        let now = SystemClock.microseconds() / 1_000_000
        guard let token = codec.issue(user: user, session: session, now: now - AccessTokenCodec.lifetime + secondsLeft) else {
            throw TestFailure("no token")
        }
        return token
    }
}
