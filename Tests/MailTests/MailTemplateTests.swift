import Testing

@testable import Mail

@Suite("Templates of mails")
struct MailTemplateTests {
    @Test("are there for every kind of mail, and fill in all that the kind has a value for", arguments: MailKind.allCases)
    func bundled(kind: MailKind) throws {
        let values: [MailKind.Placeholder: String] = [
            .frontendURL: "https://app.test", .token: "pgp_x", .lifetime: "1 hour", .email: "a@b.test", .newEmail: "c@d.test",
        ]
        let (subject, body) = try MailTemplates().render(kind, values)
        #expect(!subject.text.isEmpty)
        for place in kind.placeholders { #expect(body.contains(try #require(values[place])), "\(place)") }
        #expect(!body.contains("{{"))
        #expect(body.split(separator: "\n").allSatisfy { $0.utf8.count <= 78 })
    }

    @Test("are the operator's where there are such")
    func overridden() throws {
        let templates = try MailTemplates([.resetPassword: "Subject: Passwort\r\n\r\n{{ token }}{{token}}\r\n{}{ {\r\n"])
        let (subject, body) = templates.render(.resetPassword, [.token: "{{email}}", .email: "a@b"])
        #expect(subject.text == "Passwort")
        // What is filled in is not looked at again.
        #expect(body == "{{email}}{{email}}\n{}{ {\n")
        #expect(templates.render(.invitation, [:]).subject.text == "You are invited")
    }

    @Test(
        "are refused where they cannot work, and the file is named",
        arguments: [
            ("", "does not begin"), ("Hello\n\n{{token}}", "does not begin"), ("Subject: x\n{{token}}", "does not begin"),
            ("Subject: \n\n{{token}}", "a subject"), ("Subject: a\u{0}b\n\n{{token}}", "a subject"),
            ("Subject: x\n\nno link", "has no {{token}}"), ("Subject: x\n\n{{token", "without"),
            ("Subject: x\n\n{{token}} {{new_email}}", "no value for"), ("Subject: x\n\n{{token}} {{password}}", "no value for"),
            ("Subject: x\n\n{{token}}" + String(repeating: "x", count: 65_536), "more than"),
        ])
    func refused(text: String, saying: String) throws {
        let error = #expect(throws: MailTemplateError.self) { try MailTemplate(text, for: .resetPassword) }
        #expect(try #require(error).description.hasPrefix("reset_password.txt "))
        #expect(try #require(error).description.contains(saying))
    }
}

@Suite("The address of a mail server")
struct SMTPServerTests {
    @Test(
        "is a host, with a port where it is not the usual one",
        arguments: [
            ("smtp://mail.example.com", "smtp://mail.example.com:587", false), ("SMTP://mail:25", "smtp://mail:25", false),
            ("smtps://mail.example.com", "smtps://mail.example.com:465", false),
            ("smtps://127.0.0.1:1", "smtps://127.0.0.1:1", true),
            ("smtp://localhost:1025/", "smtp://localhost:1025", true), ("smtp://[::1]:25", "smtp://[::1]:25", true),
            ("smtp://mail/client.example.com", "smtp://mail:587/client.example.com", false),
            ("smtp://127.0.0.2", "smtp://127.0.0.2:587", true),
            ("smtp://[2001:db8::1]", "smtp://[2001:db8::1]:587", false),
        ])
    func good(text: String, url: String, isLoopback: Bool) throws {
        let server = try #require(SMTPServer(text))
        #expect(server.url == url)
        #expect(server.isLoopback == isLoopback)
        #expect(SMTPConfiguration(server: server).privacy == (isLoopback ? .optional : .required))
    }

    @Test(
        "is nothing else",
        arguments: [
            "", "mail.example.com", "mail:587", "http://mail", "smtp:mail", "smtp://", "smtp://:25", "smtp://user:pass@mail",
            "smtp://mail:0",
            "smtp://mail:65536", "smtp://mail:x", "smtp://mail?x", "smtp://mail#x", "smtp://ma il", "smtp://mail/a\r\nb",
            "smtp://[::1",
            "smtp://[127.0.0.1]", "smtp://::1",
        ])
    func bad(text: String) {
        #expect(SMTPServer(text) == nil)
    }
}
