import EventLoop
import Foundation
import Logging
import PlaygroundCore
import Postgres
import TestSupport

@testable import Idempotency

typealias IdempotencyDatabase = StoreOnLoop<IdempotencyStore>

extension StoreOnLoop<IdempotencyStore> {
    convenience init() async throws { try await self.init { IdempotencyStore(database: $0) } }

    /// A new attempt at a request.
    func attempt(_ request: IdempotentRequest, as attempt: AttemptID = .new()) async throws -> IdempotencyStore.Standing {
        try await on { try await $0.claim(request, attempt: attempt) }
    }

    /// The same where it has to be given the claim.
    func claim(_ request: IdempotentRequest, as attempt: AttemptID = .new()) async throws -> IdempotencyClaim {
        guard case .claimed(let claim) = try await self.attempt(request, as: attempt) else { throw TestFailure("no claim") }
        return claim
    }

    /// The process of the running attempt was killed, and its lease is over.
    func endLease(of request: IdempotentRequest) throws {
        try database.run("update idempotency_keys set lease_ends_at = now() where key = '\(request.key.text)'")
    }

    /// How many keys there are.
    func count() throws -> String? { try database.run("select count(*) from idempotency_keys")[0][0] }
}

extension AttemptID {
    static func new() -> AttemptID {
        AttemptID(.v7(milliseconds: 0, random: (.random(in: 0...UInt64.max), .random(in: 0...UInt64.max))))
    }
}

extension IdempotentRequest {
    init(_ owner: UserID, _ key: String = "key", route: String = "POST /things", body: String = "{}") throws {
        self.init(
            owner: owner, route: route, key: try IdempotencyKey(key), digest: SHA256Digest(of: Array(body.utf8).span))
    }
}
