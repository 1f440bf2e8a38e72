import Foundation
import TestSupport
import Testing

@testable import APIServer

@Suite("The README has the server's configuration")
struct ConfigurationContractTests {
    @Test("its table of variables names what the server reads, and nothing else")
    func tableAndSourceAgree() throws {
        let documented = Set(try Self.documentedVariables())
        let read = Set(try Self.readVariables())
        #expect(read.count > 20, "the scan finds the variables in the source")
        #expect(read.subtracting(documented).sorted() == [], "not in README.md")
        #expect(documented.subtracting(read).sorted() == [], "not read by the server")
    }

    @Test("a server with no configuration at all names every variable that it cannot do without")
    func requiredVariablesAreNamed() {
        let complaint = #expect(throws: ConfigurationError.self) { try Configuration(Environment([:])) }
        let text = complaint?.description ?? ""
        for name in ["DATABASE_URL", "UPSTREAM_API_KEY", "SESSION_KEYS"] { #expect(text.contains(name)) }
    }

    /// The names in the first column of the README's tables whose head begins with `variable`.
    private static func documentedVariables() throws -> [String] {
        let readme = try String(contentsOf: APIContract.projectDirectory.appending(path: "README.md"), encoding: .utf8)
        var isVariables = false
        var names: [String] = []
        for line in readme.split(separator: "\n", omittingEmptySubsequences: false) {
            guard line.hasPrefix("|") else {
                isVariables = false
                continue
            }
            let cell = line.split(separator: "|").first ?? ""
            if cell.trimmingCharacters(in: .whitespaces).lowercased().hasPrefix("variable") { isVariables = true }
            if isVariables { names += cell.matches(of: /`([A-Z][A-Z0-9_]+)`/).map { String($0.1) } }
        }
        // A secret may also be named by a file; that is the same variable.
        return names.filter { !($0.hasSuffix("_FILE") && names.contains(String($0.dropLast(5)))) }
    }

    /// The names with which the sources of the server's configuration ask the environment.
    private static func readVariables() throws -> [String] {
        let directory = APIContract.projectDirectory.appending(path: "Sources/APIServer/Configuration")
        let files = try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
        return try files.flatMap { file in
            try String(contentsOf: file, encoding: .utf8)
                .matches(of: /environment\.[a-zA-Z]+\(\s*"([A-Z][A-Z0-9_]+)"/).map { String($0.1) }
        }
    }
}
