import PlaygroundCore
import Testing

@testable import Mail

@Suite("A mail on the wire")
struct MailMessageTests {
    static let id = UUIDBytes(high: 0x0193_5000_0000_7000, low: 0x8000_0000_0000_0001)

    static func message(
        from: String = "noreply@example.com", to: String = "a@b.test", subject: String = "Hi", body: String = "text\n"
    ) throws -> MailMessage {
        MailMessage(
            from: try #require(Mailbox(from)), to: try #require(MailAddress(to)), subject: try #require(MailSubject(subject)),
            body: body, id: id, date: try #require(Timestamp("2026-11-23T08:49:37Z")))
    }

    static func text(_ message: MailMessage) -> String { String(decoding: message.bytes, as: UTF8.self) }

    @Test("has every field that RFC 5322 and MIME ask for, and lines that end with CRLF")
    func fields() throws {
        #expect(
            Self.text(try Self.message(from: "The Playground <noreply@example.com>")) == """
                Date: Mon, 23 Nov 2026 08:49:37 +0000\r
                From: =?UTF-8?B?VGhlIFBsYXlncm91bmQ=?= <noreply@example.com>\r
                To: a@b.test\r
                Subject: Hi\r
                Message-ID: <01935000-0000-7000-8000-000000000001@example.com>\r
                MIME-Version: 1.0\r
                Content-Type: text/plain; charset=utf-8\r
                Content-Transfer-Encoding: 7bit\r
                Auto-Submitted: auto-generated\r
                \r
                text\r
                \r

                """)
    }

    @Test("leaves a plain body as it is, links and dots and all")
    func plainBody() throws {
        let body = "https://app.example.com/reset#token=pgp_AbC-_\n.\n..\nend"
        #expect(
            Self.text(try Self.message(body: body)).hasSuffix(
                "\r\n\r\nhttps://app.example.com/reset#token=pgp_AbC-_\r\n.\r\n..\r\nend\r\n"))
    }

    @Test(
        "encodes any other body as quoted-printable",
        arguments: [
            ("Grüße", "Gr=C3=BC=C3=9Fe"), ("ü = 1", "=C3=BC =3D 1"), ("ü space ", "=C3=BC space=20"), ("a\u{0}b", "a=00b"),
            (String(repeating: "ü", count: 13), String(repeating: "=C3=BC", count: 12) + "=C3=\r\n=BC"),
        ])
    func encodedBody(body: String, expected: String) throws {
        let text = Self.text(try Self.message(body: body))
        #expect(text.contains("\r\nContent-Transfer-Encoding: quoted-printable\r\n"))
        #expect(text.hasSuffix("\r\n\r\n\(expected)\r\n"))
        #expect(text.split(separator: "\r\n").allSatisfy { $0.utf8.count <= 76 })
    }

    @Test("encodes a subject that is long or not ASCII in words of at most 75 characters")
    func subject() throws {
        let subject = String(repeating: "Bestätigung 🔑 ", count: 8)
        let text = Self.text(try Self.message(subject: subject))
        let start = try #require(text.firstRange(of: "Subject: "))
        let words = text[start.upperBound...].split(separator: "\r\n").prefix { $0.contains("=?UTF-8?B?") }.map {
            $0.drop { $0 == " " }
        }
        #expect(words.count > 2)
        #expect(words.allSatisfy { $0.utf8.count <= 75 && $0.hasPrefix("=?UTF-8?B?") && $0.hasSuffix("?=") })
        let decoded = try words.map { word in
            let encoded = word.dropFirst(10).dropLast(2).drop { $0 == "=" }
            let bytes = try #require(Base64.standard.decode(Array(encoded.utf8).filter { $0 != UInt8(ascii: "=") }[...]))
            // No character is split between two words.
            return try #require(String(validating: bytes, as: UTF8.self))
        }
        #expect(decoded.joined() == subject)
    }

    @Test(
        "cannot be given a subject that is more than a line",
        arguments: [
            "", "a\r\nBcc: x@y.test", "a\nb", "a\rb", "a\u{0}b", "a\u{2028}b", "a\u{85}b", String(repeating: "x", count: 201),
        ])
    func badSubject(text: String) {
        #expect(MailSubject(text) == nil)
    }
}

@Suite("An address that mail goes to")
struct MailAddressTests {
    @Test(
        "is a local part of words, and a domain",
        arguments: [
            "a@b", "first.last+tag@mail.example.com", "o'hara_{x}@example.com", "jürgen@müller.example", "a@1.2.3.4", "用户@例子.广告",
        ])
    func good(text: String) {
        #expect(MailAddress(text)?.description == text)
    }

    @Test(
        "is nothing else: what could end a line, open a bracket or name a second person is refused",
        arguments: [
            "", "@", "a@", "@b", "a@b@c", "a b@c", "a@b c", " a@b", "a@b ", "a\r\nRCPT TO:<x@y>@b", "a@b\r\n", "a@b\nBcc: x@y",
            "a\u{0}@b",
            "a@b>", "<a@b>", "a,b@c", "a;b@c", "\"a b\"@c", "a@[127.0.0.1]", "a..b@c", ".a@b", "a.@b", "a@b.", "a@.b", "a@b..c",
            "a(c)@b",
            "a:b@c", "a\\b@c", "a@-b", "a\u{2028}@b", "a@b\u{85}", "a\u{200B}@b", "a@b\u{A0}", "a@b/c", "a@b:25", "a@b_c",
            String(repeating: "a", count: 65) + "@b", "a@" + String(repeating: "b.", count: 127) + "b",
        ])
    func bad(text: String) {
        #expect(MailAddress(text) == nil)
    }

    @Test(
        "has a name in front where it says whom a mail is from",
        arguments: [
            ("a@b.test", nil, "a@b.test"), ("Play <a@b.test>", "Play", "=?UTF-8?B?UGxheQ==?= <a@b.test>"),
            ("\"Play, ground\" <a@b.test>", "Play, ground", "=?UTF-8?B?UGxheSwgZ3JvdW5k?= <a@b.test>"),
            ("<a@b.test>", nil, "a@b.test"),
        ] as [(String, String?, String)])
    func mailbox(text: String, name: String?, field: String) throws {
        let mailbox = try #require(Mailbox(text))
        #expect(mailbox.name == name)
        #expect(mailbox.field == field)
    }

    @Test(
        "and a name that could end its line is refused",
        arguments: ["x\r\nBcc: y <a@b>", "x\u{0} <a@b>", "x <a b>", "x <a@b> y", "x"])
    func badMailbox(text: String) {
        #expect(Mailbox(text) == nil)
    }
}
