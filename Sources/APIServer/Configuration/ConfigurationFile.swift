import Glibc
import PlaygroundCore

/// Files that the configuration names. Each is read once, and only so far as it can make sense.
enum ConfigurationFile {
    /// The largest secret.
    static let secretBytes = 64 * 1024

    /// All of a file; nil where it cannot be read or is larger. Pipes will do: `UPSTREAMS_FILE=<(…)` is one.
    static func contents(of path: String, atMost limit: Int) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var contents = [UInt8](repeating: 0, count: limit + 1)
        var length = 0
        while length <= limit {
            let count = contents.withUnsafeMutableBytes { buffer in
                read(descriptor, buffer.baseAddress.map { $0 + length }, buffer.count - length)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { return Array(contents[..<length]) }
            length += count
        }
        return nil
    }

    /// A path as a complaint shows it. What is not clearly one may be the secret itself, put where the name of its file belongs.
    static func shown(_ path: String) -> String {
        ["/", "./", "../"].contains { path.hasPrefix($0) } ? path : "something (not repeated: it may be the secret itself)"
    }

    /// A mistake in a JSON file, by the path of the member. No value is repeated, and of the members that there are not no name that
    /// may be a key in the wrong place.
    static func complaint(_ field: FieldError) -> String {
        guard field.code == .unknownParameter else { return "\(field.param): \(field.detail.dropFirst(field.param.count + 1))" }
        let parts = field.param.split(separator: ".", omittingEmptySubsequences: false)
        let plain = parts.prefix(while: isPlain)
        if plain.count == parts.count { return "\(field.param): is not a member that it can have" }
        return plain.isEmpty
            ? "has a member that it cannot have" : "\(plain.joined(separator: ".")): has a member that it cannot have"
    }

    /// An index, or a name without digits, which a key would have.
    private static func isPlain(_ part: Substring) -> Bool {
        let isIndex = part.utf8.count <= 3 && part.utf8.allSatisfy { $0 &- UInt8(ascii: "0") < 10 }
        return isIndex
            || (part.utf8.count <= 32 && part.utf8.allSatisfy { ($0 | 0x20) &- UInt8(ascii: "a") < 26 || "_-".utf8.contains($0) })
    }

    /// The names of what is in a directory; nil where it cannot be read.
    static func names(in directory: String) -> [String]? {
        guard let stream = opendir(directory) else { return nil }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            withUnsafeBytes(of: &entry.pointee.d_name) { name in
                names.append(String(decoding: name.prefix { $0 != 0 }, as: UTF8.self))
            }
        }
        return names.sorted()
    }
}
