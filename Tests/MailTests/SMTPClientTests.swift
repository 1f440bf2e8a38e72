import Foundation
import PlaygroundCore
import TestSupport
import Testing

@testable import Mail

@Suite("A mail is handed in at a real mail server", .timeLimit(.minutes(3)))
struct SMTPClientTests {
    private static func configuration(
        _ server: MailServer, _ url: String? = nil, authorities: String? = nil, user: (name: String, password: String)? = nil
    ) throws -> SMTPConfiguration {
        var configuration = SMTPConfiguration(server: try #require(SMTPServer(url ?? "smtp://127.0.0.1:\(server.port)")))
        configuration.authorities = authorities
        configuration.username = user?.name
        configuration.password = user.map { Secret($0.password) }
        configuration.stepTimeout = .seconds(2)
        configuration.timeout = .seconds(5)
        return configuration
    }

    private static func started(_ options: MailServer.Options = .init()) async throws -> MailServer {
        try await offPool { try MailServer(options) }
    }

    @Test("and arrives as it was meant, whatever it says")
    func arrives() async throws {
        let server = try await Self.started()
        let client = SMTPClient(try Self.configuration(server))
        let long = String(repeating: "Zeile mit Umlaut ä ", count: 60)
        let bodies = [
            "one\n.\n..two\n.", "Grüße 🔑\n\n" + long, String(repeating: "x", count: 998), "trailing space \nü trailing \n", "",
        ]
        for body in bodies {
            try await client.send(
                MailMessageTests.message(from: "Spiel Ä <no@example.com>", subject: "Über – \(body.count)", body: body))
        }
        let mails = try server.mails(to: "a@b.test", count: bodies.count)
        for (mail, body) in zip(mails, bodies) {
            #expect(mail.body.replacing("\r\n", with: "\n") == body + "\n")
            #expect(mail.subject == "Über – \(body.count)")
            #expect(mail.parsedFrom == "Spiel Ä <no@example.com>")
            #expect(mail.from == "no@example.com")
            #expect(mail.to == ["a@b.test"])
            #expect(mail.date == "2026-11-23T08:49:37+00:00")
            #expect(mail.defects.isEmpty)
        }
    }

    @Test("over STARTTLS, after logging in")
    func startTLS() async throws {
        let certificate = try MailCertificate(name: "IP:127.0.0.1")
        let user = (name: "postman", password: "p=ä ss,word")
        let server = try await Self.started(.init(certificate: certificate, requiresTLS: true, user: user))
        var configuration = try Self.configuration(server, authorities: certificate.path, user: user)
        configuration.privacy = .required
        try await SMTPClient(configuration).send(MailMessageTests.message())
        let mail = try #require(try server.mails(to: "a@b.test").first)
        #expect(mail.isPrivate)
        #expect(mail.isAuthenticated)
    }

    @Test("over TLS from the first byte on")
    func implicitTLS() async throws {
        let certificate = try MailCertificate(name: "DNS:localhost")
        let server = try await Self.started(.init(certificate: certificate, isImplicitTLS: true))
        var configuration = try Self.configuration(server, "smtps://localhost:\(server.port)", authorities: certificate.path)
        configuration.privacy = .required
        try await SMTPClient(configuration).send(MailMessageTests.message())
        #expect(try #require(try server.mails(to: "a@b.test").first).isPrivate)
    }

    @Test("over STARTTLS also where that is not required, as long as the server offers it")
    func opportunistic() async throws {
        let server = try await Self.started(.init(certificate: try MailCertificate(name: "DNS:elsewhere")))
        try await SMTPClient(Self.configuration(server)).send(MailMessageTests.message())
        #expect(try #require(try server.mails(to: "a@b.test").first).isPrivate)
    }

    @Test("but not in the clear where TLS is required")
    func refusesPlain() async throws {
        let server = try await Self.started()
        var configuration = try Self.configuration(server)
        configuration.privacy = .required
        let client = SMTPClient(configuration)
        let error = await #expect(throws: SMTPError.self) { try await client.send(MailMessageTests.message()) }
        #expect(error?.isPermanent == false)
        #expect(try server.mails().isEmpty)
    }

    @Test("nor to a server whose certificate is another's, or is vouched for by nobody", arguments: [true, false])
    func refusesStranger(isKnown: Bool) async throws {
        let certificate = try MailCertificate(name: isKnown ? "DNS:elsewhere" : "IP:127.0.0.1")
        let server = try await Self.started(.init(certificate: certificate, requiresTLS: true))
        var configuration = try Self.configuration(server, authorities: isKnown ? certificate.path : nil)
        configuration.privacy = .required
        let client = SMTPClient(configuration)
        await #expect(throws: SMTPError.self) { try await client.send(MailMessageTests.message()) }
        #expect(try server.mails().isEmpty)
    }

    @Test("a wrong password is no reason to give a mail up, and is shown to nobody")
    func wrongPassword() async throws {
        let certificate = try MailCertificate(name: "IP:127.0.0.1")
        let server = try await Self.started(.init(certificate: certificate, user: (name: "postman", password: "right")))
        let user = (name: "postman", password: "wrong-secret")
        let client = SMTPClient(try Self.configuration(server, authorities: certificate.path, user: user))
        let error = try #require(await #expect(throws: SMTPError.self) { try await client.send(MailMessageTests.message()) })
        #expect(!error.isPermanent)
        #expect(!"\(error)".contains("wrong-secret"))
        #expect(try server.mails().isEmpty)
    }

    @Test(
        "a recipient that the server refuses for good is told from one that may be taken later",
        arguments: [("refused@b.test", true, "550"), ("later@b.test", false, "451")])
    func refusedRecipient(address: String, isPermanent: Bool, reply: String) async throws {
        let server = try await Self.started()
        let client = SMTPClient(try Self.configuration(server))
        let error = try #require(
            await #expect(throws: SMTPError.self) { try await client.send(MailMessageTests.message(to: address)) })
        #expect(error.isPermanent == isPermanent)
        #expect("\(error)".contains(reply))
        #expect(!"\(error)".contains("b.test"))
    }

    @Test("a server that does not answer costs the time-out and no more")
    func slow() async throws {
        let server = try await Self.started()
        let client = SMTPClient(try Self.configuration(server))
        let began = ContinuousClock.now
        let error = await #expect(throws: SMTPError.self) { try await client.send(MailMessageTests.message(to: "slow@b.test")) }
        #expect(error?.isPermanent == false)
        #expect(ContinuousClock.now - began < .seconds(8))
    }

    @Test("a server that is away is told at once")
    func away() async throws {
        let port = try freePort()
        let client = SMTPClient(SMTPConfiguration(server: try #require(SMTPServer("smtp://127.0.0.1:\(port)"))))
        let error = await #expect(throws: SMTPError.self) { try await client.send(MailMessageTests.message()) }
        #expect(error?.isPermanent == false)
    }

    @Test("more mails than may wait are refused, and the others arrive")
    func bounded() async throws {
        let server = try await Self.started()
        let client = SMTPClient(try Self.configuration(server))
        let taken = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<60 {
                group.addTask { (try? await client.send(MailMessageTests.message(subject: "\(number)"))) != nil }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect((16..<60).contains(taken))
        #expect(try server.mails(to: "a@b.test", count: taken).count == taken)
    }
}
