import Auth
import Glibc
import Mail
import PlaygroundCore

extension Configuration {
    /// How mail is sent.
    struct MailSettings: Sendable {
        var smtp: SMTPConfiguration
        var stationery: MailPostman.Stationery
    }

    /// Nil where `SMTP_URL` is not set, or a complaint was made.
    static func mail(_ environment: inout Environment) -> MailSettings? {
        // Read in any case, so that a mistake in one is heard of before mail is turned on.
        let server = environment.parsed("SMTP_URL", nil, "smtp://host[:port] or smtps://host[:port]") { SMTPServer($0) }
        let from = environment.parsed("MAIL_FROM", nil, "an address, or `Name <address>`") { Mailbox($0) }
        let frontend = environment.parsed("FRONTEND_URL", nil, "an address such as https://app.example.com") { frontendURL($0) }
        let username = environment.text("SMTP_USERNAME")
        let password = environment.secret("SMTP_PASSWORD")
        let privacy = environment.choice(
            "SMTP_TLS", nil, ["required": SMTPConfiguration.Privacy.required, "optional": .optional])
        let authorities = environment.text("SMTP_CA_FILE")
        if let authorities, access(authorities, R_OK) != 0 {
            environment.complain("SMTP_CA_FILE names \(authorities), which cannot be read")
        }
        if (username == nil) != (password == nil) { environment.complain("SMTP_USERNAME and SMTP_PASSWORD go together") }
        let templates = templates(in: environment.text("MAIL_TEMPLATES"), &environment)
        guard let server else { return nil }
        if environment.text("MAIL_FROM") == nil { environment.complain("MAIL_FROM is not set: whom mails are from") }
        if environment.text("FRONTEND_URL") == nil { environment.complain("FRONTEND_URL is not set: where links in mails lead") }
        guard let from, let frontend, let templates else { return nil }
        var smtp = SMTPConfiguration(server: server)
        if let privacy { smtp.privacy = privacy }
        smtp.authorities = authorities
        smtp.username = username
        smtp.password = password.map { Secret($0) }
        return MailSettings(smtp: smtp, stationery: .init(from: from, templates: templates, frontendURL: frontend))
    }

    /// Without its last slash. Any scheme: an app on a phone may have its own.
    private static func frontendURL(_ text: String) -> String? {
        guard let separator = text.firstRange(of: "://"), separator.lowerBound > text.startIndex,
            separator.upperBound < text.endIndex,
            text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), !text.contains(where: { "#?\"<>".contains($0) })
        else { return nil }
        return text.hasSuffix("/") ? String(text.dropLast()) : text
    }

    /// The bundled texts, and instead of them those that the directory has files for. A file that is none of them is a mistake.
    private static func templates(in directory: String?, _ environment: inout Environment) -> MailTemplates? {
        var texts: [MailKind: String] = [:]
        if let directory {
            guard let names = ConfigurationFile.names(in: directory) else {
                environment.complain("MAIL_TEMPLATES names \(directory), which is no directory that can be read")
                return nil
            }
            for name in names where name.hasSuffix(".txt") {
                guard let kind = MailKind(rawValue: String(name.dropLast(4))) else {
                    let known = MailKind.allCases.map { "\($0.rawValue).txt" }.joined(separator: ", ")
                    environment.complain("MAIL_TEMPLATES has \(name), which is none of \(known)")
                    continue
                }
                guard let bytes = ConfigurationFile.contents(of: "\(directory)/\(name)", atMost: MailTemplate.limit),
                    let text = String(validating: bytes, as: UTF8.self)
                else {
                    environment.complain("MAIL_TEMPLATES has \(name), which cannot be read, is too large or not in UTF-8")
                    continue
                }
                texts[kind] = text
            }
        }
        do {
            return try MailTemplates(texts)
        } catch {
            environment.complain("MAIL_TEMPLATES: \(error)")
            return nil
        }
    }
}
