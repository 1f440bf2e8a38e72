package import EventLoop
import PlaygroundCore

/// The slow lane of a client on one loop, for the clients of other loops: a process has one, however many loops.
package struct SharedLane: Sendable {
    private let loop: EventLoop
    private let client: LoopBound<PostgresClient>

    /// - Parameter client: whose lane it is; it has one of its own.
    package init(of client: PostgresClient, on loop: isolated EventLoop) {
        self.loop = loop
        self.client = LoopBound(client, on: loop)
    }

    /// As ``PostgresClient/transaction(_:tenant:lane:deadline:)``, from any loop.
    func transaction(
        _ steps: [PostgresClient.Step], tenant: UserID?, deadline: Duration
    ) async throws(PostgresError) -> [PostgresResult] {
        try await withUnsafeContinuation { continuation in
            loop.spawn { [client] loop in
                let outcome = await client.value(on: loop).outcome(steps, tenant: tenant, deadline: deadline)
                continuation.resume(returning: outcome)
            }
        }.get()
    }
}

extension PostgresClient {
    fileprivate func outcome(
        _ steps: [Step], tenant: UserID?, deadline: Duration
    ) async -> Result<[PostgresResult], PostgresError> {
        do throws(PostgresError) {
            return .success(try await transaction(steps, tenant: tenant, lane: .slow, deadline: deadline))
        } catch {
            return .failure(error)
        }
    }
}
