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
        let writers = LoopBound(LimitWriters(settlements: settlements, reservations: reservations, io: loop.io), on: loop)
        self.writers = writers
        loop.spawn { loop in await writers.value(on: loop).settlements.run() }
        loop.spawn { loop in await writers.value(on: loop).reservations.run() }
    }

    /// The writers themselves, for who is on their loop; nil elsewhere.
    func writers(on loop: isolated EventLoop) -> LimitWriters? { loop === self.loop ? writers.value(on: loop) : nil }

    /// Has work done on the writers' loop; what is handed over by one loop begins in that order.
    func handOver(_ work: @escaping @Sendable (LimitWriters) async -> Void) {
        loop.spawn { [writers] loop in await work(writers.value(on: loop)) }
    }
}

/// Who writes reservations and settlements, on the loop of their lane.
final class LimitWriters {
    /// Settlements that may wait for the database before nothing more is admitted.
    private static let highestBacklog = 16_384
    /// After its last byte an answer holds its slot for so long at most, where its user is short of slots and the database well.
    private static let handingBack = Duration.milliseconds(25)

    let settlements: SettlementWriter
    let reservations: ReservationWriter
    private let io: LoopIO

    init(settlements: SettlementWriter, reservations: ReservationWriter, io: LoopIO) {
        self.settlements = settlements
        self.reservations = reservations
        self.io = io
    }

    /// Who finds no slot free is looked at again a moment later: an answer that has just ended, on whichever replica, is about to give
    /// its slot back, and whoever asks for one completion after another shall not be told of two.
    func reserve(_ request: ReservationRequest) async -> ReservationWriter.Outcome {
        let first = await ask(request)
        guard case .success(.refused(let error, _)) = first, error.code == .concurrencyLimit else { return first }
        await io.pause(Self.handingBack)
        return await ask(request)
    }

    private func ask(_ request: ReservationRequest) async -> ReservationWriter.Outcome {
        guard settlements.count < Self.highestBacklog else {
            return .failure(ReservationWriter.unavailable("settlements are waiting for the database"))
        }
        settlements.hurry(for: request.userID)
        return await reservations.reserve(request)
    }
}
