import ArgumentParser
import Auth
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

    func way() throws -> UserBook.LinkDelivery { mail ? .mailed : .printed(try Configuration.keysOnly()) }
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
