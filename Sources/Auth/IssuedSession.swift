/// What a client gets when it logs in or refreshes.
package struct IssuedSession: Sendable, Equatable {
    /// For the `Authorization` field; ends by itself.
    package let accessToken: String
    /// Seconds that the access token lives.
    package let expiresIn: Int64
    /// Gives the same successor again until that one is used.
    package let refreshToken: String
    /// Seconds until the refresh token is good no more, by the database's clock: the nearer of idle and absolute end.
    package let refreshExpiresIn: Int64
    package let user: User
}
