/// Lets callers in one at a time, in the order in which they came. Belongs to its loop.
final class Turns {
    private var isTaken = false
    private var waiting: [UnsafeContinuation<Void, Never>] = []

    /// Runs `body` when all who came before are done.
    func take<Value, Failure: Error>(_ body: () async throws(Failure) -> Value) async throws(Failure) -> Value {
        // Decided in here: on the way from a look before this the turn may be passed on, and nobody would wake who waits for it.
        await withUnsafeContinuation { continuation in
            if isTaken {
                waiting.append(continuation)
            } else {
                isTaken = true
                continuation.resume()
            }
        }
        defer { pass() }
        return try await body()
    }

    /// The turn goes to the next without having been free: who comes before that one runs would overtake.
    private func pass() {
        if waiting.isEmpty {
            isTaken = false
        } else {
            waiting.removeFirst().resume()
        }
    }
}
