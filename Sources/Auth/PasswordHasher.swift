import COpenSSL
import Glibc
package import PlaygroundCore
import Synchronization

/// Hashes and checks passwords with scrypt, away from the loops: a hash is 128 MiB and a third of a second of one core.
///
/// At most half the cores hash at once, behind everything else there is to do; at most 32 callers wait, and whoever comes beyond gets
/// `overloaded` at once. One hasher is shared by all loops. Its cost cannot be set.
package final class PasswordHasher: Sendable {
    /// How many callers may wait for a place.
    package static let queueLimit = 32
    /// What a refused caller is told to wait.
    private static let retryAfter = Duration.seconds(2)

    private struct Job: Sendable {
        let password: [UInt8]
        let salt: [UInt8]
        let cost: PasswordHash.Cost
        /// Resumed once, from the hashing thread; nil where memory was out.
        let done: UnsafeContinuation<[UInt8]?, Never>
    }

    private struct State {
        /// Threads that hash.
        var running = 0
        var waiting: [Job] = []
        /// Callers of ``admitting(_:)``.
        var inside = 0
    }

    /// How many hash at once.
    let width: Int
    private let state = Mutex(State())

    /// - Parameter cores: how many the process may use; by default those that are online.
    package init(cores: Int = sysconf(Int32(_SC_NPROCESSORS_ONLN))) {
        width = max(1, cores / 2)
    }

    /// How many hashes are being computed and how many callers wait, at this moment.
    package var load: (running: Int, waiting: Int) {
        state.withLock { ($0.running, $0.waiting.count) }
    }

    /// Runs what is going to hash a password, if so many may hash or wait for it as there are inside already. Whoever comes beyond
    /// is refused before anything is done for them: a storm of log-ins costs the database nothing.
    /// - Throws: `overloaded`; else what `body` throws.
    package func admitting<Result>(
        _ body: () async throws(ServiceError) -> Result
    ) async throws(ServiceError) -> Result {
        let isAdmitted = state.withLock { state in
            guard hasRoom(state) else { return false }
            state.inside += 1
            return true
        }
        guard isAdmitted else { throw Self.refusal }
        defer { state.withLock { $0.inside -= 1 } }
        return try await body()
    }

    /// Tells at once, before anything of a request is read, what ``admitting(_:)`` would tell it now.
    /// - Throws: `overloaded`.
    package func requireRoom() throws(ServiceError) {
        if !state.withLock({ hasRoom($0) }) { throw Self.refusal }
    }

    private func hasRoom(_ state: State) -> Bool { state.inside < width + Self.queueLimit }

    private static var refusal: ServiceError {
        ServiceError(.overloaded, "Too many log-ins at the moment", retryAfter: retryAfter)
    }

    /// The outcome of a check.
    package struct Verification: Sendable, Equatable {
        package let isMatch: Bool
        /// The password was right and its stored hash is weaker than what is made today: hash it again.
        package let needsRehash: Bool
    }

    /// The text to store for a password, with a fresh salt.
    /// - Throws: `overloaded`, with a time to wait, where too many others wait already.
    package func hash(_ password: String) async throws(ServiceError) -> String {
        let salt = try SecureRandom.bytes(PasswordHash.saltLength)
        let key = try await derive(password, salt: salt, cost: .current)
        return PasswordHash(cost: .current, salt: salt, key: key).description
    }

    /// Whether this is the password of the stored hash. Without one (no such account, or one that has no password) the answer
    /// is no, after as long as any other.
    /// - Throws: `overloaded` as `hash` does; `internal` where the stored text is none of ours.
    package func verify(_ password: String, against stored: String?) async throws(ServiceError) -> Verification {
        let hash: PasswordHash
        if let stored {
            guard let parsed = PasswordHash(parsing: stored) else {
                throw ServiceError(.internalError, cause: "a stored password hash is not a scrypt PHC string")
            }
            hash = parsed
        } else {
            hash = .dummy
        }
        let derived = try await derive(password, salt: hash.salt, cost: hash.cost)
        let isMatch = hash.matches(derived) && stored != nil
        return Verification(isMatch: isMatch, needsRehash: isMatch && hash.cost.isWeakerThanCurrent)
    }

    private func derive(_ password: String, salt: [UInt8], cost: PasswordHash.Cost) async throws(ServiceError) -> [UInt8] {
        var isRefused = false
        let key = await withUnsafeContinuation { done in
            let job = Job(password: PasswordHash.input(password), salt: salt, cost: cost, done: done)
            switch admit(job) {
            case .run:
                // Without a thread nobody hashes, nor those who have begun to wait for this one.
                if !BackgroundThread.start({ [self] in work(job, by: Self.deriveKey) }) { work(job) { _ in nil } }
            case .wait: break
            case .refuse:
                isRefused = true
                done.resume(returning: nil)
            }
        }
        if isRefused { throw Self.refusal }
        guard let key else {
            let cause = "scrypt failed: no thread, or no memory for \(cost.bytes) bytes"
            throw ServiceError(.overloaded, retryAfter: Self.retryAfter, cause: cause)
        }
        return key
    }

    private enum Admission { case run, wait, refuse }

    private func admit(_ job: Job) -> Admission {
        state.withLock { state in
            if state.running < width {
                state.running += 1
                return .run
            }
            guard state.waiting.count < Self.queueLimit else { return .refuse }
            state.waiting.append(job)
            return .wait
        }
    }

    private static func deriveKey(_ job: Job) -> [UInt8]? {
        PasswordHash.deriveKey(password: job.password, salt: job.salt, cost: job.cost)
    }

    /// One thread's work: its job, then those that wait, oldest first.
    private func work(_ first: Job, by answer: (Job) -> [UInt8]?) {
        var next: Job? = first
        while let job = next {
            copenssl_keep_working_memory(1)
            job.done.resume(returning: answer(job))
            next = state.withLock { $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() }
            if next == nil {
                // The memory goes before the place does: whoever has that takes as much again.
                copenssl_keep_working_memory(0)
                next = state.withLock { state in
                    guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
                    state.running -= 1
                    return nil
                }
            }
        }
    }
}
