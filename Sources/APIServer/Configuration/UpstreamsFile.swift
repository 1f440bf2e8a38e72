import HTTPClient
import PlaygroundCore
import Streaming

/// `UPSTREAMS_FILE`: several upstreams.
enum UpstreamsFile {
    /// How much of everything an entry may have.
    enum Limits {
        static let models = 200
        static let headers = 32
        /// Bytes of a header's value, and of a key.
        static let value = 4096
        /// Characters of an upstream's name and of a header's.
        static let name = 1...64
        static let url = 1...2048
        static let path = 1...4096
        static let priority: ClosedRange<Int64> = 0...1000
        /// Requests and tokens.
        static let perMinute: ClosedRange<Int64> = 1...1_000_000_000
    }

    /// - Parameter timeouts: of an upstream for which the file says nothing else.
    static func read(
        path: String, timeouts: UpstreamTimeouts, files: SecretFiles = SecretFiles()
    ) -> EntriesFile<Configuration.Upstream> {
        EntriesFile(
            .init(variable: "UPSTREAMS_FILE", member: "upstreams", noun: "an upstream", key: "name"), path: path, files: files,
            key: \.description.name
        ) { element, files throws(ServiceError) in
            var entry = UpstreamEntry(element, files: files)
            defer { files = entry.files }
            return try entry.upstream(timeouts)
        }
    }

    /// What is wrong with a value that is to be sent in this field, without the value; nil where it can be.
    static func complaint(about value: String, in name: String) -> String? {
        do {
            _ = try ClientRequest(.post, "/", fields: [(name, value)])
            return nil
        } catch {
            return "cannot be sent: \(error)"
        }
    }
}
