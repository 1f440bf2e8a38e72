import ArgumentParser
import Auth
import EventLoop
import PlaygroundCore
import StrictJSON

/// How a command about one user says what it did.
struct UserOutput: ParsableArguments {
    @Flag(help: "Print JSON, for programs.")
    var json = false

    func print(user: UserID) {
        var writer = JSONWriter()
        writer.object { $0.member("id", user) }
        StandardOutput.line(json ? String(decoding: writer.bytes, as: UTF8.self) : user.description)
    }

    /// A token is shown once: it is stored nowhere.
    func print(_ link: UserBook.IssuedLink) {
        let address = link.token.flatMap { token in Environment().text("FRONTEND_URL").map { ($0, token) } }.map { url, token in
            "\(url.hasSuffix("/") ? String(url.dropLast()) : url)/reset-password#token=\(token)"
        }
        if json {
            var writer = JSONWriter()
            writer.object { writer in
                writer.member("id", link.user)
                writer.member("token", link.token)
                writer.member("link", address)
                writer.member("expires_in", link.purpose.lifetime)
            }
            return StandardOutput.line(String(decoding: writer.bytes, as: UTF8.self))
        }
        StandardOutput.line(link.user.description)
        if let token = link.token { StandardOutput.line(address ?? token) }
    }
}

/// How a link gets to the person.
struct LinkOptions: ParsableArguments {
    @Flag(help: "Have the servers mail the link, and print none.")
    var mail = false

    /// What a command that makes a link says of it.
    static let discussion = """
        The link's token is printed, for which SESSION_KEYS is needed, and the link itself where FRONTEND_URL says whither it leads. \
        With --mail it is the servers that send the link; they have to have SMTP_URL.
        """

    /// Makes a link, and tells the audit trail.
    func issue(
        _ kind: AuditEvent.Kind,
        _ make: @escaping @Sendable (UserBook, UserBook.LinkDelivery) async throws -> UserBook.IssuedLink
    ) async throws -> UserBook.IssuedLink {
        let way: UserBook.LinkDelivery = mail ? .mailed : .printed(try Configuration.keysOnly())
        return try await OperatorDatabase.run { database in
            let link = try await make(UserBook(database: database, now: SystemClock.microseconds), way)
            try await OperatorAccounts.audit(kind, link.user, database)
            return link
        }
    }
}

/// An e-mail address on a command line.
struct EmailArgument: ExpressibleByArgument {
    let address: EmailAddress

    init?(argument: String) {
        guard let address = try? EmailAddress(parsing: argument) else { return nil }
        self.address = address
    }
}

/// A user on a command line: id or e-mail address.
struct AccountArgument: ExpressibleByArgument {
    let reference: UserBook.Reference

    init?(argument: String) {
        if let id = UserID(argument) {
            reference = .id(id)
        } else {
            guard let address = try? EmailAddress(parsing: argument) else { return nil }
            reference = .email(address)
        }
    }
}
