import Foundation

/// An authority of our own and what it signed, made afresh with the openssl tool.
package struct Certificates: Sendable {
    package let authority: String
    /// For localhost and 127.0.0.1.
    package let chain: String
    package let key: String
    /// For another name, by the same authority.
    package let strangerChain: String
    package let strangerKey: String
    /// For localhost and 127.0.0.1, but no longer valid.
    package let expiredChain: String

    package static let shared = Result { try Certificates() }

    private init() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "certificates-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        func path(_ name: String) -> String { folder.appending(path: name).path }
        authority = path("ca.pem")
        chain = path("here.pem")
        key = path("here.key")
        strangerChain = path("there.pem")
        strangerKey = path("there.key")
        expiredChain = path("expired.pem")
        let newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        try Self.openssl(
            ["req", "-x509", "-days", "2", "-subj", "/CN=Test authority", "-keyout", path("ca.key"), "-out", authority] + newKey)
        for (name, names) in [("here", "DNS:localhost,IP:127.0.0.1"), ("there", "DNS:there.example,IP:127.0.0.9")] {
            try Self.openssl(
                ["req", "-subj", "/CN=\(name)", "-keyout", path("\(name).key"), "-out", path("\(name).csr")] + newKey)
            try Data("subjectAltName=\(names)\n".utf8).write(to: folder.appending(path: "\(name).ext"))
            let sign =
                ["x509", "-req", "-in", path("\(name).csr")] + ["-CA", authority, "-CAkey", path("ca.key"), "-CAcreateserial"]
            try Self.openssl(sign + ["-days", "2", "-extfile", path("\(name).ext"), "-out", path("\(name).pem")])
            if name == "here" {
                try Self.openssl(sign + ["-days", "-1", "-extfile", path("here.ext"), "-out", expiredChain])
            }
        }
    }

    private static func openssl(_ arguments: [String]) throws {
        try ChildProcess.run("/usr/bin/env", ["openssl"] + arguments)
    }
}
