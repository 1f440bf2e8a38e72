import Foundation
import Glibc

/// Programs from PyPI that tests talk to, in an environment of their own below `.dev`.
package enum PythonTools {
    /// What tests need, at the versions they were written against.
    private static let packages = ["aiosmtpd==1.4.6", "oidc-provider-mock==0.3.4", "PyJWT==2.15.1", "cryptography==50.0.2"]

    private static let installed = Result { try install() }

    /// The path of a Python that has all of ``packages``; made by the first call, which needs the network once.
    package static func python() throws -> String { try installed.get() }

    private static func install() throws -> String {
        let directory = APIContract.projectDirectory.appending(path: ".dev")
        let tools = directory.appending(path: "test-tools").path
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        // Another test process may be at it.
        let lock = open(tools + ".lock", O_CREAT | O_RDWR | O_CLOEXEC, 0o644)
        guard lock >= 0, flock(lock, LOCK_EX) == 0 else { throw TestFailure("cannot lock \(tools).lock") }
        defer { close(lock) }
        let mark = tools + "/installed"
        let wanted = packages.joined(separator: "\n")
        if (try? String(contentsOfFile: mark, encoding: .utf8)) != wanted {
            try run("/usr/bin/env", ["python3", "-m", "venv", tools])
            try run(tools + "/bin/pip", ["install", "--quiet", "--disable-pip-version-check"] + packages)
            try wanted.write(toFile: mark, atomically: true, encoding: .utf8)
        }
        return tools + "/bin/python"
    }

    private static func run(_ executable: String, _ arguments: [String]) throws {
        do {
            try ChildProcess.run(executable, arguments, deadline: .seconds(180))
        } catch {
            throw TestFailure("\(error) (Debian: python3-venv)")
        }
    }
}
