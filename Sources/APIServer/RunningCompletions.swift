import EventLoop
import PlaygroundCore
import RateLimit
import Streaming
import Synchronization

/// The completions of this process, on whichever of its loops they run. It asks one loop after the other: an owner's request comes
/// to any of them, and no table that all share has to be kept for what is rarely asked.
final class RunningCompletions: Sendable {
    typealias Part = (loop: EventLoop, services: LoopBound<LoopServices>)

    /// What one loop knows of a completion.
    enum Sight: Sendable {
        /// With what it has used so far.
        case running(Usage)
        /// With what is about to be written.
        case ended(Settlement)
    }

    /// What became of a request to stop.
    enum StopAnswer: Sendable {
        case stopping
        /// It has ended, and only the bill is not written yet.
        case ended
        /// No loop of this process has it, or it is somebody else's.
        case unknown
    }

    private let parts = Mutex<[Part]>([])

    /// Has the loops asked from now on.
    func include(_ parts: [Part]) { self.parts.withLock { $0 = parts } }

    /// Ends the owner's completion if it runs here. The database is not needed.
    func stop(_ request: StopRequest) async -> StopAnswer {
        for (loop, services) in parts.withLock(\.self) {
            let answer = try? await loop.run { loop -> StopAnswer in
                let services = services.value(on: loop)
                if services.stop(request) { return .stopping }
                return services.limiter.pendingSettlement(of: request.completionID) == nil ? .unknown : .ended
            }
            if let answer, answer != .unknown { return answer }
        }
        return .unknown
    }

    /// The same for a request that came by way of another replica: nobody waits for the answer.
    func stopLater(_ request: StopRequest) {
        for (loop, services) in parts.withLock(\.self) {
            loop.spawn { loop in _ = services.value(on: loop).stop(request) }
        }
    }

    /// What is known here of a completion; nil where it is on none of the loops.
    func sight(of id: CompletionID) async -> Sight? {
        for (loop, services) in parts.withLock(\.self) {
            let sight = try? await loop.run { loop -> Sight? in
                let services = services.value(on: loop)
                if let relay = services.relays[id] { return .running(relay.progress) }
                return services.limiter.pendingSettlement(of: id).map { .ended($0) }
            }
            if let sight { return sight }
        }
        return nil
    }
}
