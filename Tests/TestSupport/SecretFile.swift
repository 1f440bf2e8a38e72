import Foundation

/// A file that tests write anew in the ways operators and their tools do.
package final class SecretFile: Sendable {
    /// How a new text gets into the file.
    package enum Way: Sendable, CaseIterable {
        /// A new file takes the old one's name.
        case rename
        /// The name is a link into a directory that is a link itself, and that is switched: how Kubernetes does it.
        case link
        /// The file is cut to nothing and written: how it has to be done through a bind mount.
        case inPlace
    }

    package let path: String
    private let directory: URL
    private let way: Way

    /// A file of its own in a directory of its own.
    package init(_ text: String, _ way: Way = .rename) throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "secret-\(UUID())")
        self.way = way
        path = directory.appending(path: "secret").path
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        if way == .link {
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "current/secret")
        }
        try write(text)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    package func write(_ text: String) throws {
        switch way {
        case .rename: try Data(text.utf8).write(to: directory.appending(path: "secret"), options: .atomic)
        case .inPlace: try Data(text.utf8).write(to: directory.appending(path: "secret"))
        case .link:
            let version = "version-\(UUID())"
            try FileManager.default.createDirectory(at: directory.appending(path: version), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: directory.appending(path: version).appending(path: "secret"))
            let next = directory.appending(path: "next").path
            try FileManager.default.createSymbolicLink(atPath: next, withDestinationPath: version)
            guard rename(next, directory.appending(path: "current").path) == 0 else { throw TestFailure("rename: \(errno)") }
        }
    }

    package func remove() throws { try FileManager.default.removeItem(atPath: path) }
}
