import PlaygroundCore

/// A configuration whose files are read again when they change. Each file counts for itself: one that makes no sense keeps what it
/// said before, and the others say what they say now.
struct ReloadedConfiguration: Sendable {
    /// Why a file was not taken: one line, without anything that stands in it.
    struct Refusal: Sendable, Equatable {
        let path: String
        let reason: String
    }

    /// The latest that makes sense as a whole.
    private(set) var current: Configuration
    private let variables: [String: String]
    /// Of each file the state that was last taken or refused.
    private var judged: [String: SecretFiles.Signature?]
    /// Of each file the state that was seen last.
    private var seen: [String: SecretFiles.Signature?] = [:]

    /// - Parameter variables: those that `configuration` was made of.
    init(_ configuration: Configuration, variables: [String: String]) {
        current = configuration
        self.variables = variables
        judged = configuration.files.readings.mapValues(\.signature)
    }

    /// Looks at all files. One that has changed is read once it was found in the same state twice, because it may still be being
    /// written; but at once where `isWritten`.
    /// - Returns: the files whose new text ``current`` has, and those that were refused.
    mutating func check(isWritten: Bool = false) -> (taken: [String], refusals: [Refusal]) {
        var refusals: [Refusal] = []
        var changed: [String: SecretFiles.Reading] = [:]
        for (path, old) in current.files.readings.sorted(by: { $0.key < $1.key }) where old.signature != nil {
            let signature = SecretFiles.Signature(ofFile: path)
            let isSettled = isWritten || seen[path] == .some(signature)
            seen[path] = signature
            guard isSettled, isWritten || (judged[path] ?? old.signature) != signature else { continue }
            judged[path] = signature
            guard signature != nil, let new = SecretFiles.Reading(path, atMost: old.limit) else {
                refusals.append(Refusal(path: path, reason: "it cannot be read, or is too large"))
                continue
            }
            if !new.contents.isSame(as: old.contents) { changed[path] = new }
        }
        if changed.isEmpty { return ([], refusals) }
        let (taken, refused) = take(changed)
        return (taken, refusals + refused)
    }

    /// All of them together, because one may need another; or else one by one.
    private mutating func take(_ changed: [String: SecretFiles.Reading]) -> (taken: [String], refusals: [Refusal]) {
        if let next = try? configuration(with: changed) {
            current = next
            return (changed.keys.sorted(), [])
        }
        var taken: [String] = []
        var refusals: [Refusal] = []
        for (path, reading) in changed.sorted(by: { $0.key < $1.key }) {
            do {
                current = try configuration(with: [path: reading])
                taken.append(path)
            } catch {
                refusals.append(Refusal(path: path, reason: "\(error)"))
            }
        }
        return (taken, refusals)
    }

    private func configuration(with changed: [String: SecretFiles.Reading]) throws -> Configuration {
        let files = SecretFiles(given: current.files.readings.merging(changed) { $1 })
        return try Configuration(Environment(variables, files: files))
    }
}

extension Secret {
    fileprivate func isSame(as other: Secret) -> Bool {
        withBytes { left in other.withBytes { right in left.elementsEqual(right) } }
    }
}
