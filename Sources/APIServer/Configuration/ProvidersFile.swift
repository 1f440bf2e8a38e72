import OIDC
import PlaygroundCore
import StrictJSON

/// `OIDC_PROVIDERS_FILE`: identity providers, as JSON. It is read whole, and everything that is wrong with it is told at once,
/// by the path of the member; a value is never repeated, for it may be a secret in the wrong place.
struct ProvidersFile {
    /// In the order of the file; empty where there are complaints.
    private(set) var providers: [ProviderConfiguration] = []
    /// One sentence each; every one begins with the variable's name.
    private(set) var complaints: [String] = []
    /// This one, and those that it names.
    private(set) var files: SecretFiles

    private static let variable = "OIDC_PROVIDERS_FILE"

    /// How much of everything a file may have.
    enum Limits {
        static let bytes = 256 * 1024
        static let providers = 16
        static let id = 1...32
        /// Characters of a name for people, of an id of a client or key, and of a path.
        static let text = 1...255
        static let path = 1...4096
        static let audiences = 16
        static let scopes = 16
        /// Bytes.
        static let secret = 4096
        static let key = 16 * 1024
    }

    /// - Parameter allowsPlainLoopback: whether an issuer on this machine may be one of plain http.
    init(path: String, allowsPlainLoopback: Bool, files: SecretFiles = SecretFiles()) {
        self.files = files
        guard let bytes = self.files.contents(of: path, atMost: Limits.bytes) else {
            complaints.append(
                "\(Self.variable) names \(ConfigurationFile.shown(path)), which cannot be read or has more than \(Limits.bytes) bytes"
            )
            return
        }
        let name = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
        do {
            if let object = try JSONValue(parsing: bytes).object {
                read(object, directory: String(path[..<name]), allowsPlainLoopback)
            } else {
                complaints.append("\(Self.variable) has to be a JSON object with the member `providers`")
            }
        } catch {
            complaints.append("\(Self.variable) is not JSON: \(error)")
        }
        if !complaints.isEmpty { providers = [] }
    }

    private mutating func read(_ object: JSONObject, directory: String, _ allowsPlainLoopback: Bool) {
        var reader = FieldReader(object)
        let entries = reader.value("providers")?.array ?? []
        if entries.isEmpty { reader.note("providers", .required, "has to be an array of at least one provider") }
        if entries.count > Limits.providers {
            reader.note("providers", .tooLong, "may have at most \(Limits.providers) elements")
        }
        do { try reader.finish() } catch { complain(error) }
        var ids: Set<String> = []
        for (index, element) in entries.prefix(Limits.providers).enumerated() {
            guard let object = element.object else {
                complaints.append("\(Self.variable) providers.\(index): has to be an object")
                continue
            }
            var entry = ProviderEntry(object, path: "providers.\(index).", directory: directory, files: files)
            defer { files = entry.files }
            do {
                let provider = try entry.provider(allowsPlainLoopback: allowsPlainLoopback)
                if ids.insert(provider.id).inserted {
                    providers.append(provider)
                } else {
                    complaints.append("\(Self.variable) providers.\(index).id: is that of a provider before it")
                }
            } catch {
                complain(error)
            }
        }
    }

    private mutating func complain(_ error: ServiceError) {
        for field in error.errors { complaints.append("\(Self.variable) \(ConfigurationFile.complaint(field))") }
    }
}
