import PlaygroundCore
import StrictJSON

/// A file of the configuration that describes several things of one kind, as JSON: an object with one member, which is an array of
/// objects. It is read whole, and everything that is wrong with it is told at once, by the path of the member; a value is never
/// repeated, for it may be a secret in the wrong place.
struct EntriesFile<Entry> {
    /// What such a file has to be.
    struct Form {
        /// The variable that names it.
        let variable: String
        /// The member with the entries, of which there are at most ``most``.
        let member: String
        /// One of them, with its article.
        let noun: String
        /// The member of an entry that no two have alike.
        let key: String
    }

    /// One element as it stands in the file.
    struct Element {
        let object: JSONObject
        /// What stands in front of a member's name in a complaint.
        let path: String
        /// Where a relative path of a file begins.
        let directory: String
    }

    private static var bytes: Int { 256 * 1024 }
    private static var most: Int { 16 }

    /// In the order of the file; empty where there are complaints.
    private(set) var entries: [Entry] = []
    /// One sentence each; every one begins with the variable's name.
    private(set) var complaints: [String] = []
    /// This one, and those that it names.
    private(set) var files: SecretFiles
    private let form: Form

    /// - Parameters:
    ///   - key: what tells an entry from the others.
    ///   - read: throws every member of an element that cannot be used.
    init(
        _ form: Form, path: String, files: SecretFiles, key: (Entry) -> String,
        read: (Element, inout SecretFiles) throws(ServiceError) -> Entry
    ) {
        self.form = form
        self.files = files
        guard let bytes = self.files.contents(of: path, atMost: Self.bytes) else {
            complaints.append(
                "\(form.variable) names \(ConfigurationFile.shown(path)), which cannot be read or has more than \(Self.bytes) bytes"
            )
            return
        }
        let name = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
        do {
            if let object = try JSONValue(parsing: bytes).object {
                self.read(object, directory: String(path[..<name]), key, read)
            } else {
                complaints.append("\(form.variable) has to be a JSON object with the member `\(form.member)`")
            }
        } catch {
            complaints.append("\(form.variable) is not JSON: \(error)")
        }
        if !complaints.isEmpty { entries = [] }
    }

    private mutating func read(
        _ object: JSONObject, directory: String, _ key: (Entry) -> String,
        _ read: (Element, inout SecretFiles) throws(ServiceError) -> Entry
    ) {
        var reader = FieldReader(object)
        let elements = reader.value(form.member)?.array ?? []
        if elements.isEmpty { reader.note(form.member, .required, "has to be an array with at least one element") }
        if elements.count > Self.most { reader.note(form.member, .tooLong, "may have at most \(Self.most) elements") }
        do { try reader.finish() } catch { complain(error) }
        var keys: Set<String> = []
        for (index, element) in elements.prefix(Self.most).enumerated() {
            let path = "\(form.member).\(index)"
            guard let object = element.object else {
                complaints.append("\(form.variable) \(path): has to be an object")
                continue
            }
            do {
                let entry = try read(Element(object: object, path: path + ".", directory: directory), &files)
                if keys.insert(key(entry)).inserted {
                    entries.append(entry)
                } else {
                    complaints.append("\(form.variable) \(path).\(form.key): is that of \(form.noun) before it")
                }
            } catch {
                complain(error)
            }
        }
    }

    private mutating func complain(_ error: ServiceError) {
        for field in error.errors { complaints.append("\(form.variable) \(ConfigurationFile.complaint(field))") }
    }
}
