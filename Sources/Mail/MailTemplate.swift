/// The text of one kind of mail, with places for what differs. Its first line is the subject (`Subject: …`), then comes an empty
/// line, then the body, in which `{{name}}` is a place.
package struct MailTemplate: Sendable {
    /// The most a template may have, in bytes.
    package static let limit = 64 * 1024

    private enum Part: Sendable {
        case text(Substring)
        case place(MailKind.Placeholder)
    }

    package let subject: MailSubject
    private let parts: [Part]

    /// - Throws: for text that is no template of this kind, or lacks the token that its mail is sent for.
    package init(_ text: String, for kind: MailKind) throws(MailTemplateError) {
        let text = String(text.map { $0 == "\r\n" ? "\n" : $0 })
        guard text.utf8.count <= Self.limit else { throw MailTemplateError(kind, "has more than \(Self.limit) bytes") }
        let prefix = "Subject: "
        guard text.hasPrefix(prefix), let end = text.firstIndex(of: "\n"), text[end...].hasPrefix("\n\n") else {
            throw MailTemplateError(kind, "does not begin with a line `Subject: …` and an empty line")
        }
        guard let subject = MailSubject(String(text[..<end].dropFirst(prefix.count))) else {
            throw MailTemplateError(kind, "has a subject that is empty, too long or more than a line")
        }
        self.subject = subject
        parts = try Self.parts(of: text[end...].dropFirst(2), for: kind)
    }

    /// The body, every place filled in; those without a value stay empty.
    package func body(_ values: [MailKind.Placeholder: String]) -> String {
        var body = ""
        for part in parts {
            switch part {
            case .text(let text): body += text
            case .place(let place): body += values[place] ?? ""
            }
        }
        return body
    }

    private static func parts(of body: Substring, for kind: MailKind) throws(MailTemplateError) -> [Part] {
        var (parts, rest, found): ([Part], Substring, Set<MailKind.Placeholder>) = ([], body, [])
        while let opening = rest.firstRange(of: "{{") {
            parts.append(.text(rest[..<opening.lowerBound]))
            rest = rest[opening.upperBound...]
            guard let closing = rest.firstRange(of: "}}") else { throw MailTemplateError(kind, "has `{{` without `}}`") }
            let name = rest[..<closing.lowerBound].filter { $0 != " " }
            guard let place = MailKind.Placeholder(rawValue: name), kind.placeholders.contains(place) else {
                let known = kind.placeholders.map { "{{\($0.rawValue)}}" }.sorted().joined(separator: " ")
                throw MailTemplateError(kind, "has a place that its mails have no value for: it may use \(known)")
            }
            parts.append(.place(place))
            found.insert(place)
            rest = rest[closing.upperBound...]
        }
        parts.append(.text(rest))
        if kind.hasToken, !found.contains(.token) { throw MailTemplateError(kind, "has no {{token}}") }
        return parts
    }
}

/// Why a template was refused.
package struct MailTemplateError: Error, Equatable, CustomStringConvertible {
    /// A clause about the file, for whoever wrote it.
    package let description: String

    init(_ kind: MailKind, _ reason: String) { description = "\(kind.rawValue).txt \(reason)" }
}

/// A template for every kind of mail.
package struct MailTemplates: Sendable {
    private let templates: [MailKind: MailTemplate]

    /// - Parameter texts: what stands in for a bundled template, by kind.
    package init(_ texts: [MailKind: String] = [:]) throws(MailTemplateError) {
        var templates: [MailKind: MailTemplate] = [:]
        for kind in MailKind.allCases { templates[kind] = try MailTemplate(texts[kind] ?? kind.bundledText, for: kind) }
        self.templates = templates
    }

    /// The mail's subject and body.
    package func render(_ kind: MailKind, _ values: [MailKind.Placeholder: String]) -> (subject: MailSubject, body: String) {
        guard let template = templates[kind] else { preconditionFailure("there is a template for every kind: see init") }
        return (template.subject, template.body(values))
    }
}
