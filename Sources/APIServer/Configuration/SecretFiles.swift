import Glibc
import PlaygroundCore

/// The files that a configuration was read from, with what stood in them. They hold secrets, which may be replaced while the server
/// runs; what stood in a file when it last made sense is kept, because a file may make none just while somebody is at it.
struct SecretFiles: Sendable {
    /// What tells one state of a file from another without reading it. A rename or a switched link changes the file's number.
    struct Signature: Sendable, Equatable {
        private let device: UInt64
        private let number: UInt64
        private let size: Int64
        private let modified: [Int]
        private let changed: [Int]

        /// Nil for what is not there, and for what is no plain file: a pipe gives its text once.
        init?(ofFile path: String) {
            var status = stat()
            guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
            device = UInt64(status.st_dev)
            number = UInt64(status.st_ino)
            size = Int64(status.st_size)
            modified = [status.st_mtim.tv_sec, status.st_mtim.tv_nsec]
            changed = [status.st_ctim.tv_sec, status.st_ctim.tv_nsec]
        }
    }

    /// One file as it was read.
    struct Reading: Sendable {
        /// How many bytes of it make sense.
        let limit: Int
        /// Taken before it was read, so that no change is missed. Nil: not to be read again.
        let signature: Signature?
        let contents: Secret

        /// Nil where the file cannot be read or is larger.
        init?(_ path: String, atMost limit: Int) {
            let signature = Signature(ofFile: path)
            guard let bytes = ConfigurationFile.contents(of: path, atMost: limit) else { return nil }
            self.limit = limit
            self.signature = signature
            contents = Secret(bytes: bytes)
        }
    }

    /// By path, those that were asked for.
    private(set) var readings: [String: Reading] = [:]
    /// What is taken instead of reading a file.
    private let given: [String: Reading]

    /// - Parameter given: files that need not be read.
    init(given: [String: Reading] = [:]) { self.given = given }

    /// All of a file, nil where it cannot be read or is larger.
    mutating func contents(of path: String, atMost limit: Int) -> [UInt8]? {
        guard let reading = readings[path] ?? given[path] ?? Reading(path, atMost: limit) else { return nil }
        readings[path] = reading
        return reading.contents.withBytes { Array($0) }
    }
}

extension SecretFiles: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    var description: String { "SecretFiles(redacted)" }
    var debugDescription: String { description }
    var customMirror: Mirror { Mirror(self, children: []) }
}
