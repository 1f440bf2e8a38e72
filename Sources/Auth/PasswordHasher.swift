import Dispatch
import Glibc
package import PlaygroundCore
import Synchronization

/// Hashes and checks passwords with scrypt, away from the loops: a hash is 128 MiB and a third of a second of one core.
///
/// At most half the cores hash at once, so that everybody else's requests keep the others; at most 32 callers wait,
/// and whoever comes beyond gets `overloaded` at once. One hasher is shared by all loops. Its cost cannot be set.
package final class PasswordHasher: Sendable {
    /// How many callers may wait for a place.
    package static let queueLimit = 32
    /// What a refused caller is told to wait.
    private static let retryAfter = Duration.seconds(2)

    private struct Job: Sendable {
        let password: [UInt8]
        let salt: [UInt8]
        let cost: PasswordHash.Cost
        /// Resumed once, from the hashing queue; nil where memory was out.
        let done: UnsafeContinuation<[UInt8]?, Never>
    }

    private struct State {
        /// Indices of `places` that nobody uses.
        var idle: [Int]
        var waiting: [Job] = []
        /// Callers of ``admitting(_:)``.
        var inside = 0
    }

    /// Serial queues: each has a thread of its own while it works. A concurrent one would share the few threads of Dispatch's
    /// global pool with everything else that blocks.
    private let places: [DispatchQueue]
    private let state: Mutex<State>

    /// How many hash at once.
    var width: Int { places.count }

    /// - Parameter cores: how many the process may use; by default those that are online.
    package init(cores: Int = sysconf(Int32(_SC_NPROCESSORS_ONLN))) {
        places = (0..<max(1, cores / 2)).map { DispatchQueue(label: "password-hashing-\($0)") }
        state = Mutex(State(idle: Array(places.indices)))
    }

    /// How many hashes are being computed and how many callers wait, at this moment.
    package var load: (running: Int, waiting: Int) {
        state.withLock { (places.count - $0.idle.count, $0.waiting.count) }
    }

    /// Runs what is going to hash a password, if so many may hash or wait for it as there are inside already. Whoever comes beyond
    /// is refused before anything is done for them: a storm of log-ins costs the database nothing.
    /// - Throws: `overloaded`; else what `body` throws.
    package func admitting<Result>(
        _ body: () async throws(ServiceError) -> Result
    ) async throws(ServiceError) -> Result {
        let isAdmitted = state.withLock { state in
            guard state.inside < places.count + Self.queueLimit else { return false }
            state.inside += 1
            return true
        }
        guard isAdmitted else { throw Self.refusal }
        defer { state.withLock { $0.inside -= 1 } }
        return try await body()
    }

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
            case .run(let place): places[place].async { [self] in work(job, at: place) }
            case .wait: break
            case .refuse:
                isRefused = true
                done.resume(returning: nil)
            }
        }
        if isRefused { throw Self.refusal }
        guard let key else {
            let cause = "scrypt failed: no memory for \(cost.bytes) bytes"
            throw ServiceError(.overloaded, retryAfter: Self.retryAfter, cause: cause)
        }
        return key
    }

    private enum Admission { case run(place: Int), wait, refuse }

    private func admit(_ job: Job) -> Admission {
        state.withLock { state in
            if let place = state.idle.popLast() { return .run(place: place) }
            guard state.waiting.count < Self.queueLimit else { return .refuse }
            state.waiting.append(job)
            return .wait
        }
    }

    /// One place's work: its job, then those that wait, oldest first.
    private func work(_ first: Job, at place: Int) {
        var next: Job? = first
        while let job = next {
            job.done.resume(returning: PasswordHash.deriveKey(password: job.password, salt: job.salt, cost: job.cost))
            next = state.withLock { state in
                guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
                state.idle.append(place)
                return nil
            }
        }
    }
}
