import EventLoop
import HTTPServer
import HTTPTypes
import PlaygroundCore
import RateLimit
import StrictJSON

/// What an owner may do about a completion while it runs, and after: stop it, and ask what became of it.
final class CompletionControlHandlers {
    /// A completion of this process that none of its loops has is on its way from one place to the next, for a moment.
    private static let looks = 3
    private static let betweenLooks = Duration.milliseconds(5)

    private let ledger: CompletionLedger
    private let running: RunningCompletions
    private let process: ProcessID
    private let io: LoopIO

    init(ledger: CompletionLedger, running: RunningCompletions, process: ProcessID, io: LoopIO) {
        self.ledger = ledger
        self.running = running
        self.process = process
        self.io = io
    }

    /// This process's own loops are asked first: a stop works while the database is away. Otherwise the wish is written down and
    /// told to all replicas.
    func stop(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        let request = StopRequest(completionID: try context.pathID(), userID: principal.userID)
        switch await running.stop(request) {
        case .stopping: break
        case .ended: throw ServiceError(.notFound)
        case .unknown:
            guard try await ledger.requestStop(request) else { throw ServiceError(.notFound) }
        }
        return .response(
            .json(.accepted) { writer in
                writer.member("id", request.completionID)
                writer.member("status", "stopping")
            })
    }

    /// The database says whose it is; where this process has it, its loops know better how it stands.
    func status(_ context: RequestContext, _ principal: Principal) async throws -> Reply {
        let id: CompletionID = try context.pathID()
        var record = try await ledger.record(id, of: principal.userID)
        search: for _ in 0..<Self.looks where record.process == process {
            switch await running.sight(of: id) {
            case .running(let usage):
                record.usage = usage
                break search
            case .ended(let settlement):
                record.update(settlement)
                break search
            case nil:
                await io.pause(Self.betweenLooks)
                record = try await ledger.record(id, of: principal.userID)
            }
        }
        var writer = JSONWriter()
        record.write(to: &writer)
        return .response(.json(bytes: writer.bytes))
    }
}
