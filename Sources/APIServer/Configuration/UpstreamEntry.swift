import HTTPClient
import PlaygroundCore
import Streaming
import StrictJSON

/// One element of `upstreams` in `UPSTREAMS_FILE`.
struct UpstreamEntry {
    private typealias Limits = UpstreamsFile.Limits

    private let object: JSONObject
    private let directory: String
    /// With the one that holds its key.
    private(set) var files: SecretFiles
    private var reader: FieldReader

    /// What an upstream may do without: parameters, the user's opaque id, and the newer name of a chat's `max_tokens`.
    static let refusable: Set = [
        "temperature", "top_p", "stop", "frequency_penalty", "presence_penalty", "seed", "logit_bias", "logprobs", "suffix",
        "user", "max_completion_tokens",
    ]

    /// Fields of every request, which say what the exchange is: not for the file to change.
    private static let reserved: Set = ["content-type", "accept", "accept-encoding"]

    init(_ element: EntriesFile<Configuration.Upstream>.Element, files: SecretFiles) {
        object = element.object
        directory = element.directory
        self.files = files
        reader = FieldReader(element.object, path: element.path)
    }

    /// - Throws: every member that cannot be used.
    mutating func upstream(_ defaults: UpstreamTimeouts) throws(ServiceError) -> Configuration.Upstream {
        var description = UpstreamDescription(name: name())
        let origin = origin()
        description.kind = kind()
        let key = key()
        description.models = models()
        description.priority = Int(reader.integer("priority", in: Limits.priority) ?? 0)
        let headers = headers(hasKey: key != nil)
        let timeouts = timeouts(defaults)
        description.tellsUsage = reader.bool("include_usage") ?? true
        description.tellsUsageContinuously = reader.bool("continuous_usage") ?? false
        if description.tellsUsageContinuously, !description.tellsUsage {
            reader.note("continuous_usage", .invalidValue, "needs include_usage")
        }
        description.requestsPerMinute = reader.integer("requests_per_minute", in: Limits.perMinute).map { Int($0) }
        description.tokensPerMinute = reader.integer("tokens_per_minute", in: Limits.perMinute).map { Int($0) }
        description.refusedParameters = refusedParameters()
        try reader.finish()
        guard let origin else { throw ServiceError(.internalError, cause: "a URL was neither read nor refused") }
        return Configuration.Upstream(description, origin: origin, key: key, headers: headers, allowing: timeouts)
    }

    /// It becomes a label of metrics and stands in logs.
    private mutating func name() -> String {
        let name = reader.requiredString("name", characters: Limits.name)
        if !name.utf8.allSatisfy(Self.isNameByte) {
            reader.note("name", .invalidValue, "may have letters, digits, `-`, `_` and `.` only")
        }
        return name
    }

    private mutating func origin() -> Origin? {
        let url = reader.requiredString("url", characters: Limits.url)
        if url.isEmpty { return nil }
        do {
            return try Origin(baseURL: url)
        } catch {
            reader.note("url", .invalidValue, error.description)
            return nil
        }
    }

    private mutating func kind() -> UpstreamKind {
        guard let text = reader.string("kind") else { return .completion }
        if let kind = UpstreamKind(rawValue: text) { return kind }
        reader.note("kind", .invalidValue, "has to be one of: \(UpstreamKind.allCases.map(\.rawValue).joined(separator: ", "))")
        return .completion
    }

    private mutating func key() -> Secret? {
        let hasBoth = reader.contains("key") && reader.contains("key_file")
        var key: (name: String, text: String)?
        if let text = reader.string("key", bytes: Limits.value) { key = ("key", text.trimmed) }
        if let path = reader.string("key_file", characters: Limits.path) {
            if hasBoth {
                reader.note("key_file", .invalidValue, "and key are both given: give one of them")
            } else {
                let place = path.hasPrefix("/") ? path : directory + path
                if let bytes = files.contents(of: place, atMost: Limits.value) {
                    key = ("key_file", String(decoding: bytes, as: UTF8.self).trimmed)
                } else {
                    reader.note("key_file", .invalidValue, "names a file that cannot be read or is larger than a key")
                }
            }
        }
        guard let key else { return nil }
        if key.text.isEmpty {
            reader.note(key.name, .tooShort, "is empty: leave it out where the upstream wants no key")
        } else if let complaint = UpstreamsFile.complaint(about: key.text, in: "Authorization") {
            reader.note(key.name, .invalidValue, complaint)
        }
        return Secret(key.text)
    }

    private mutating func models() -> Set<String>? {
        // For a request an empty array says nothing. Here it could be meant as "none", and would mean "any".
        if object["models"]?.array?.isEmpty == true {
            reader.note("models", .tooShort, "is empty: leave it out where the upstream has whatever is asked for")
        }
        let models = reader.strings("models", atMost: Limits.models, characters: CompletionParameters.Limits.model)
        return models.isEmpty ? nil : Set(models)
    }

    private mutating func headers(hasKey: Bool) -> [(name: String, value: String)] {
        guard let value = reader.value("headers") else { return [] }
        guard let members = value.object?.members else {
            reader.note("headers", .wrongType, "has to be an object")
            return []
        }
        guard members.count <= Limits.headers else {
            reader.note("headers", .tooLong, "may have at most \(Limits.headers) members")
            return []
        }
        var headers: [(name: String, value: String)] = []
        var names: Set<String> = []
        for (index, member) in members.enumerated() {
            // What is no name may be a whole line, secret and all: it is told by its place.
            guard Limits.name.contains(member.key.utf8.count), member.key.utf8.allSatisfy(Self.isNameByte) else {
                reader.note("headers", .invalidValue, "has a member, number \(index), whose name is not that of a header")
                continue
            }
            let name = member.key.lowercased()
            if let complaint = complaint(about: member, isRepeated: !names.insert(name).inserted, hasKey: hasKey) {
                reader.note("headers.\(member.key)", .invalidValue, complaint)
            } else {
                headers.append((member.key, member.value.string ?? ""))
            }
        }
        return headers
    }

    private func complaint(about header: JSONObject.Member, isRepeated: Bool, hasKey: Bool) -> String? {
        let name = header.key.lowercased()
        if isRepeated { return "stands there twice" }
        if Self.reserved.contains(name) { return "is set by the server itself" }
        if name == "authorization", hasKey { return "and a key are both given: give one of them" }
        guard let text = header.value.string else { return "has to be a string, but is \(header.value.kind.name)" }
        if text.utf8.count > Limits.value { return "may have at most \(Limits.value) bytes" }
        return UpstreamsFile.complaint(about: text, in: header.key)
    }

    private mutating func timeouts(_ defaults: UpstreamTimeouts) -> UpstreamTimeouts {
        let given = reader.fields("timeouts") { reader in
            func seconds(_ name: String, _ fallback: Duration, in range: ClosedRange<Double>) -> Duration {
                reader.number(name, in: range)?.double.map { .milliseconds(Int64($0 * 1000)) } ?? fallback
            }
            var timeouts = defaults
            timeouts.connect = seconds("connect", defaults.connect, in: UpstreamTimeouts.Limits.connect)
            timeouts.firstByte = seconds("first_byte", defaults.firstByte, in: UpstreamTimeouts.Limits.part)
            timeouts.firstToken = seconds("first_token", defaults.firstToken, in: UpstreamTimeouts.Limits.part)
            timeouts.silence = seconds("silence", defaults.silence, in: UpstreamTimeouts.Limits.part)
            timeouts.total = seconds("total", defaults.total, in: UpstreamTimeouts.Limits.total)
            return timeouts
        }
        return given ?? defaults
    }

    private mutating func refusedParameters() -> Set<String> {
        let names = reader.strings("refused_parameters", atMost: 2 * Self.refusable.count)
        for (index, name) in names.enumerated() where !Self.refusable.contains(name) {
            reader.note(
                "refused_parameters.\(index)", .invalidValue,
                "has to be one of: \(Self.refusable.sorted().joined(separator: ", "))")
        }
        return Set(names)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        byte &- UInt8(ascii: "0") < 10 || (byte | 0x20) &- UInt8(ascii: "a") < 26 || "-_.".utf8.contains(byte)
    }
}
