import FoundationEssentials
import PlaygroundCore

/// Reads the environment once, as typed values, and gathers every complaint instead of stopping at the first.
struct Environment {
    private let values: [String: String]
    /// Those that were read for it.
    var files: SecretFiles
    /// One sentence each; every one begins with the variable's name.
    private(set) var complaints: [String] = []

    init(_ values: [String: String] = ProcessInfo.processInfo.environment, files: SecretFiles = SecretFiles()) {
        self.values = values
        self.files = files
    }

    /// A variable's text; an empty one counts as absent.
    func text(_ name: String) -> String? {
        guard let value = values[name]?.trimmed, !value.isEmpty else { return nil }
        return value
    }

    /// A secret: from the variable, or from the file that `NAME_FILE` names (its trailing line end is dropped).
    mutating func secret(_ name: String) -> String? {
        let path = text(name + "_FILE")
        if let value = text(name) {
            if path != nil { complain("\(name) and \(name)_FILE are both set: set one of them") }
            return value
        }
        guard let path else { return nil }
        guard let contents = files.contents(of: path, atMost: ConfigurationFile.secretBytes) else {
            complain("\(name)_FILE names \(ConfigurationFile.shown(path)), which cannot be read or is no file for a secret")
            return nil
        }
        let value = String(decoding: contents, as: UTF8.self).trimmed
        if value.isEmpty { complain("\(name)_FILE names \(path), which is empty") }
        return value.isEmpty ? nil : value
    }

    /// A secret without which the server refuses to start.
    /// - Parameter purpose: what it is for and what it looks like, for whoever has to set it.
    mutating func requiredSecret(_ name: String, _ purpose: String) -> String {
        let before = complaints.count
        if let value = secret(name) { return value }
        if complaints.count == before { complain("\(name) is not set (nor \(name)_FILE): \(purpose)") }
        return ""
    }

    mutating func integer(_ name: String, _ fallback: Int, in range: ClosedRange<Int>) -> Int {
        optionalInteger(name, in: range) ?? fallback
    }

    /// Nil where the variable is not set.
    mutating func optionalInteger(_ name: String, in range: ClosedRange<Int>) -> Int? {
        guard let value = text(name) else { return nil }
        if let number = Int(value), range.contains(number) { return number }
        complain("\(name) has to be a whole number from \(range.lowerBound) to \(range.upperBound)")
        return nil
    }

    /// Seconds, decimals allowed.
    mutating func seconds(_ name: String, _ fallback: Duration, in range: ClosedRange<Double>) -> Duration {
        guard let value = text(name) else { return fallback }
        guard let number = Double(value), range.contains(number) else {
            complain("\(name) has to be a number of seconds from \(range.lowerBound) to \(range.upperBound)")
            return fallback
        }
        return .milliseconds(Int64(number * 1000))
    }

    /// One of a few words.
    mutating func choice<Value>(_ name: String, _ fallback: Value, _ choices: KeyValuePairs<String, Value>) -> Value {
        guard let value = text(name) else { return fallback }
        if let choice = choices.first(where: { $0.key == value.lowercased() }) { return choice.value }
        complain("\(name) has to be one of: \(choices.map(\.key).joined(separator: ", "))")
        return fallback
    }

    /// Whatever `parse` makes of the text; its nil is a complaint.
    mutating func parsed<Value>(_ name: String, _ fallback: Value, _ shape: String, _ parse: (String) -> Value?) -> Value {
        guard let text = text(name) else { return fallback }
        if let value = parse(text) { return value }
        complain("\(name) has to be \(shape)")
        return fallback
    }

    mutating func complain(_ sentence: String) { complaints.append(sentence) }
}

/// The configuration is not one to start with.
struct ConfigurationError: Error, CustomStringConvertible {
    let complaints: [String]
    var description: String { complaints.map { "configuration: \($0)" }.joined(separator: "\n") }
}
