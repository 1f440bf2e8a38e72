import Glibc

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
