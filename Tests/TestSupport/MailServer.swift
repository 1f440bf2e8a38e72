import Foundation
import StrictJSON

/// A real mail server (aiosmtpd) on a free port of 127.0.0.1: it keeps what it takes, for tests to read. A recipient whose name begins
/// with `refused` is refused for good, with `later` for now; a mail to `slow…` is answered only after a minute.
package final class MailServer: Sendable {
    package struct Options: Sendable {
        /// The name in the certificate; nil for a server without TLS.
        package var certificate: MailCertificate?
        /// TLS from the first byte on instead of STARTTLS.
        package var isImplicitTLS = false
        /// Nothing is taken without TLS.
        package var requiresTLS = false
        /// Who may hand mails in; nil for everybody.
        package var user: (name: String, password: String)?

        package init(
            certificate: MailCertificate? = nil, isImplicitTLS: Bool = false, requiresTLS: Bool = false,
            user: (name: String, password: String)? = nil
        ) {
            self.certificate = certificate
            self.isImplicitTLS = isImplicitTLS
            self.requiresTLS = requiresTLS
            self.user = user
        }
    }

    /// A mail as the server took it.
    package struct Mail: Sendable {
        package let from: String
        package let to: [String]
        /// Whether it came over TLS, and whether its sender had logged in.
        package let isPrivate, isAuthenticated: Bool
        /// Head and body as received.
        package let text: String
        /// What Python's mail parser makes of it.
        package let subject, body, parsedFrom, parsedTo, date: String
        /// What that parser complains of.
        package let defects: [String]
    }

    package let process: ChildProcess
    package let port: UInt16

    /// Blocks until it accepts connections.
    package init(_ options: Options = Options(), port: UInt16 = 0) throws {
        var arguments = ["-c", Self.script, "\(port)"]
        arguments += [options.certificate?.path ?? "", options.isImplicitTLS ? "1" : "", options.requiresTLS ? "1" : ""]
        arguments += [options.user?.name ?? "", options.user?.password ?? ""]
        process = try ChildProcess(try PythonTools.python(), arguments)
        let line = try process.waitForLine(containing: "listening on ", deadline: .seconds(20))
        guard let text = line.split(separator: ":").last, let port = UInt16(text) else {
            throw TestFailure("no port in: \(line)")
        }
        self.port = port
    }

    deinit { process.signal(SIGKILL) }

    /// All that it has taken so far.
    package func mails() throws -> [Mail] {
        try process.lines.filter { $0.hasPrefix("{") }.map { line in
            let fields = try JSONDecoder().decode(Fields.self, from: Data(line.utf8))
            return Mail(
                from: fields.from, to: fields.to, isPrivate: fields.tls, isAuthenticated: fields.auth, text: fields.text,
                subject: fields.subject, body: fields.body, parsedFrom: fields.parsedFrom, parsedTo: fields.parsedTo,
                date: fields.date, defects: fields.defects)
        }
    }

    /// Waits until there are mails to somebody, `count` of them at least, and answers all of them.
    package func mails(to address: String, count: Int = 1, deadline: Duration = .seconds(15)) throws -> [Mail] {
        let end = ContinuousClock.now + deadline
        while true {
            let mails = try mails().filter { $0.to.contains(address) }
            if mails.count >= count { return mails }
            if ContinuousClock.now > end {
                throw TestFailure("\(mails.count) mails to \(address), not \(count): \(process.lines.suffix(5))")
            }
            usleep(20_000)
        }
    }

    private struct Fields: Decodable {
        let from: String
        let to: [String]
        let tls, auth: Bool
        let text, subject, body, parsedFrom, parsedTo, date: String
        let defects: [String]
    }

    private static let script = """
        import asyncio, email, email.policy, json, ssl, sys
        from aiosmtpd.smtp import SMTP, AuthResult

        port, certificate, implicit, required, user, password = sys.argv[1:]

        class Handler:
            async def handle_RCPT(self, server, session, envelope, address, options):
                name = address.split("@")[0]
                if name.startswith("refused"): return "550 5.1.1 nobody here"
                if name.startswith("later"): return "451 4.3.0 try again"
                envelope.rcpt_tos.append(address)
                return "250 OK"

            async def handle_DATA(self, server, session, envelope):
                if envelope.rcpt_tos[0].startswith("slow"): await asyncio.sleep(60)
                raw = envelope.content
                mail = email.message_from_bytes(raw, policy=email.policy.default)
                print(json.dumps({
                    "from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": session.ssl is not None or bool(implicit),
                    "auth": bool(session.authenticated), "text": raw.decode("utf-8", "replace"), "subject": str(mail["subject"]),
                    "body": mail.get_content(), "parsedFrom": str(mail["from"]), "parsedTo": str(mail["to"]),
                    "date": mail["date"].datetime.isoformat(),
                    "defects": [repr(d) for d in mail.defects] + [repr(d) for name in mail for d in mail[name].defects],
                }), flush=True)
                return "250 taken"

        def authenticate(server, session, envelope, mechanism, data):
            good = (data.login, data.password) == (user.encode(), password.encode())
            return AuthResult(success=good)

        async def main():
            context = None
            if certificate:
                context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
                context.load_cert_chain(certificate)
            def protocol():
                return SMTP(
                    Handler(), enable_SMTPUTF8=True, decode_data=False, tls_context=None if implicit else context,
                    require_starttls=bool(required), authenticator=authenticate if user else None, auth_required=bool(user),
                    auth_require_tls=bool(certificate) and not implicit)
            server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", int(port), ssl=context if implicit else None)
            print(f"listening on 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
            await server.serve_forever()

        asyncio.run(main())
        """
}

/// A self-signed certificate with its key in one file, for a mail server's name.
package struct MailCertificate: Sendable {
    /// Also the file of authorities that vouches for it.
    package let path: String

    /// - Parameter name: as openssl's subjectAltName has it: `IP:127.0.0.1`, `DNS:localhost`.
    package init(name: String) throws {
        let directory = NSTemporaryDirectory() + "mail-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        Watchdog.tell("D \(directory)")
        path = directory + "/server.pem"
        try ChildProcess.run(
            "/usr/bin/env",
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=mail", "-addext", "subjectAltName=\(name)", "-keyout", path, "-out", path + ".crt",
            ])
        let certificate = try String(contentsOfFile: path + ".crt", encoding: .utf8)
        try (String(contentsOfFile: path, encoding: .utf8) + certificate).write(toFile: path, atomically: true, encoding: .utf8)
    }
}
