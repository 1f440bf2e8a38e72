import Foundation

/// The Python programs of `Tests/Python`, over what ``PythonTools`` has installed.
package enum PythonTool {
    /// Starts one.
    package static func start(_ script: String, _ arguments: [String] = []) throws -> ChildProcess {
        let path = APIContract.projectDirectory.appending(path: "Tests/Python/\(script)").path
        return try ChildProcess(try PythonTools.python(), ["-u", path] + arguments)
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
