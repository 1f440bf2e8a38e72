import EventLoop
import PlaygroundCore

/// What a completion keeps in order to be asked for again: the prompt, who may be asked, and what came of it so far. It is
/// gone once the answer has begun, because a prompt may be long, and a stream lasts.
final class PendingRequest {
    let request: UpstreamRequest
    /// The `max_tokens` that apply: 0 until the plan has decided.
    private(set) var maxTokens = 0
    // Unchecked for overlapping accesses: the plan asks for breakers' times alone, which come back to nothing here.
    @exclusivity(unchecked) private(set) var candidates: [Upstream]
    @exclusivity(unchecked) private var plan: AttemptPlan
    /// The place of the candidate that was asked last.
    private var current = 0

    /// - Parameter latest: no further attempt begins after this millisecond.
    init(_ request: UpstreamRequest, candidates: [Upstream], latest: Int64) {
        self.request = request
        self.candidates = candidates
        plan = AttemptPlan(candidates: candidates.count, latest: latest)
    }

    /// Before anybody is asked: what applies, and who is to be asked first where the others have no room.
    func grant(maxTokens: Int, upstream name: String?) {
        self.maxTokens = maxTokens
        guard let name, let index = candidates.firstIndex(where: { $0.description.name == name }) else { return }
        candidates.insert(candidates.remove(at: index), at: 0)
    }

    func next(now: Int64) -> AttemptPlan.Step { plan.next(now: now) { candidates[$0].earliest } }

    /// - Returns: the candidate at `index`, which is now asked; nil where another loop has been let through in the meantime.
    func tryAsk(_ index: Int, now: Int64) -> Upstream? {
        guard candidates[index].tryAsk(at: now) else { return nil }
        current = index
        plan.asked(index)
        return candidates[index]
    }

    func failed(_ fault: UpstreamFault, now: Int64) {
        plan.failed(current, fault, now: now, random: .random(in: 0..<1))
    }

    /// What the client hears when nobody is asked any more.
    func error(now: Int64) -> ServiceError {
        if let fault = plan.fault { return fault.serviceError }
        let earliest = candidates.map(\.earliest).min() ?? now
        return ServiceError(
            .upstreamUnavailable, retryAfter: .milliseconds(max(1, earliest - now)), cause: "no upstream has answered lately")
    }
}
