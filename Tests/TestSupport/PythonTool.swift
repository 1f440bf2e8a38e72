import Foundation

/// The Python programs of `Tests/Python`, in the environment that `bin/test` makes for them: what tests need that is not ours.
package enum PythonTool {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
        .standardizedFileURL

    /// Starts one.
    package static func start(_ script: String, _ arguments: [String] = []) throws -> ChildProcess {
        let interpreter =
            ProcessInfo.processInfo.environment["TEST_PYTHON"] ?? root.appendingPathComponent(".dev/test-tools/bin/python").path
        guard FileManager.default.isExecutableFile(atPath: interpreter) else {
            throw TestFailure("no \(interpreter): bin/test makes it, once")
        }
        let path = root.appendingPathComponent("Tests/Python/\(script)").path
        return try ChildProcess(interpreter, ["-u", path] + arguments)
    }

    /// Runs one to its end; what it printed.
    package static func run(_ script: String, _ arguments: [String] = []) throws -> String {
        let process = try start(script, arguments)
        guard try process.waitForOutput(deadline: .seconds(60)) == 0 else {
            throw TestFailure("\(script): \(process.lines.suffix(10).joined(separator: "\n"))")
        }
        return process.lines.joined(separator: "\n")
    }
}
