import HTTPClient
import PlaygroundCore
import Streaming
import StrictJSON

/// `UPSTREAMS_FILE`: several upstreams, as JSON. It is read whole, and everything that is wrong with it is told at once, by
/// the path of the member; a value is never repeated, for it may be a key in the wrong place.
struct UpstreamsFile {
    /// In the order of the file; empty where there are complaints.
    private(set) var upstreams: [Configuration.Upstream] = []
    /// One sentence each; every one begins with `UPSTREAMS_FILE`.
    private(set) var complaints: [String] = []
    /// This one, and those that it names.
    private(set) var files: SecretFiles

    /// How much of everything a file may have.
    enum Limits {
        static let bytes = 256 * 1024
        static let upstreams = 16
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
    init(path: String, timeouts: UpstreamTimeouts, files: SecretFiles = SecretFiles()) {
        self.files = files
        guard let bytes = self.files.contents(of: path, atMost: Limits.bytes) else {
            complaints.append(
                "UPSTREAMS_FILE names \(ConfigurationFile.shown(path)), which cannot be read or has more than \(Limits.bytes) bytes"
            )
            return
        }
        let name = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
        do {
            if let object = try JSONValue(parsing: bytes).object {
                read(object, directory: String(path[..<name]), timeouts)
            } else {
                complaints.append("UPSTREAMS_FILE has to be a JSON object with the member `upstreams`")
            }
        } catch {
            complaints.append("UPSTREAMS_FILE is not JSON: \(error)")
        }
        if !complaints.isEmpty { upstreams = [] }
    }

    private mutating func read(_ object: JSONObject, directory: String, _ timeouts: UpstreamTimeouts) {
        var reader = FieldReader(object)
        let entries = reader.value("upstreams")?.array ?? []
        if entries.isEmpty { reader.note("upstreams", .required, "has to be an array of at least one upstream") }
        if entries.count > Limits.upstreams {
            reader.note("upstreams", .tooLong, "may have at most \(Limits.upstreams) elements")
        }
        do { try reader.finish() } catch { complain(error) }
        var names: Set<String> = []
        for (index, element) in entries.prefix(Limits.upstreams).enumerated() {
            guard let object = element.object else {
                complaints.append("UPSTREAMS_FILE upstreams.\(index): has to be an object")
                continue
            }
            var entry = UpstreamEntry(object, path: "upstreams.\(index).", directory: directory, files: files)
            defer { files = entry.files }
            do {
                let upstream = try entry.upstream(timeouts)
                if names.insert(upstream.description.name).inserted {
                    upstreams.append(upstream)
                } else {
                    complaints.append("UPSTREAMS_FILE upstreams.\(index).name: is that of an upstream before it")
                }
            } catch {
                complain(error)
            }
        }
    }

    private mutating func complain(_ error: ServiceError) {
        for field in error.errors { complaints.append("UPSTREAMS_FILE \(ConfigurationFile.complaint(field))") }
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
