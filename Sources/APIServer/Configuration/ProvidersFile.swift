import OIDC
import PlaygroundCore

/// `OIDC_PROVIDERS_FILE`: identity providers.
enum ProvidersFile {
    /// How much of everything an entry may have.
    enum Limits {
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
    static func read(
        path: String, allowsPlainLoopback: Bool, files: SecretFiles = SecretFiles()
    ) -> EntriesFile<ProviderConfiguration> {
        EntriesFile(
            .init(variable: "OIDC_PROVIDERS_FILE", member: "providers", noun: "a provider", key: "id"), path: path, files: files,
            key: \.id
        ) { element, files throws(ServiceError) in
            var entry = ProviderEntry(element, files: files)
            defer { files = entry.files }
            return try entry.provider(allowsPlainLoopback: allowsPlainLoopback)
        }
    }
}
