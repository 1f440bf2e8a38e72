package import EventLoop
package import Logging
package import PlaygroundCore
package import Postgres

/// The one way on which a process reserves and settles, for all its loops: what they ask for at the same time goes to the database
/// in one statement, and does not wait there for one another's rows.
///
/// It works on one loop, over that loop's connection. The others hand over to it, in order.
package final class LimitLane: Sendable {
    /// What a connection that a lane works over does before it is given anything.
    package static let rehearsal = [LimitStatements.rehearse]

    private let loop: EventLoop
    private let writers: LoopBound<LimitWriters>

    /// - Parameters:
    ///   - process: the owner of the reservations; its ``ProcessLease`` has to be held already.
    ///   - deadline: how long a reservation waits for the database.
    package init(
        database: PostgresClient, process: ProcessID, loop: isolated EventLoop, logger: Logger, deadline: Duration = .seconds(1)
    ) {
        self.loop = loop
        let settlements = SettlementWriter(database: database, io: loop.io, logger: logger)
        let reservations = ReservationWriter(
            database: database, process: process, deadline: deadline.wholeMilliseconds, io: loop.io, settlements: settlements)
        let writers = LoopBound(LimitWriters(settlements: settlements, reservations: reservations), on: loop)
        self.writers = writers
        loop.spawn { loop in await writers.value(on: loop).settlements.run() }
        loop.spawn { loop in await writers.value(on: loop).reservations.run() }
        loop.spawn { loop in await writers.value(on: loop).reservations.tell() }
    }

    /// The writers themselves, for who is on their loop; nil elsewhere.
    func writers(on loop: isolated EventLoop) -> LimitWriters? { loop === self.loop ? writers.value(on: loop) : nil }

    /// Has orders taken on the writers' loop.
    func handOver(_ orders: [LimitOrder]) {
        loop.spawn { [writers] loop in
            let writers = writers.value(on: loop)
            for order in orders { writers.take(order) }
        }
    }
}

/// What a loop asks of the lane.
enum LimitOrder: Sendable {
    case reserve(ReservationRequest, UnsafeContinuation<ReservationWriter.Outcome, Never>)
    case settle(Settlement)
    /// Of an admission that nobody waits for any more.
    case undo(ReservationRequest)
}

/// Who writes reservations and settlements, on the loop of their lane.
final class LimitWriters {
    let settlements: SettlementWriter
    let reservations: ReservationWriter

    init(settlements: SettlementWriter, reservations: ReservationWriter) {
        self.settlements = settlements
        self.reservations = reservations
    }

    func take(_ order: LimitOrder) {
        switch order {
        case .reserve(let request, let continuation): reservations.reserve(request) { continuation.resume(returning: $0) }
        case .settle(let settlement): settlements.settle(settlement)
        case .undo(let request): settlements.undo(request)
        }
    }
}
