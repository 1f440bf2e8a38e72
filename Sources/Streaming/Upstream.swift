import EventLoop
import PlaygroundCore

/// One upstream as one loop knows it: what it is, the way to it, and whether it is there. Not Sendable: it belongs to its loop.
package final class Upstream {
    package let description: UpstreamDescription
    let transport: any UpstreamTransport
    // Once instead of for every stream.
    let firstTokenMilliseconds: Int64
    let silenceMilliseconds: Int64
    let totalMilliseconds: Int64
    private let circuit: UpstreamCircuit

    /// `circuit`: whether it is there, as all loops know.
    package init(
        description: UpstreamDescription, transport: any UpstreamTransport, circuit: UpstreamCircuit = UpstreamCircuit()
    ) {
        self.description = description
        self.transport = transport
        self.circuit = circuit
        firstTokenMilliseconds = description.firstTokenTimeout.wholeMilliseconds
        silenceMilliseconds = description.silenceTimeout.wholeMilliseconds
        totalMilliseconds = description.totalTimeout.wholeMilliseconds
    }

    /// The millisecond from which on its breaker lets a request through.
    var earliest: Int64 { circuit.earliest }

    func serves(_ request: UpstreamRequest) -> Bool { request.isServed(by: description) }

    /// The first field of the request that it cannot be asked for.
    func refusal(of request: UpstreamRequest) -> FieldError? { request.refusal(by: description) }

    func tryAsk(at now: Int64) -> Bool { circuit.tryAsk(at: now) }

    func answered() { circuit.answered() }

    func failed(_ fault: UpstreamFault, askedAt: Int64, now: Int64) {
        if fault.showsAbsence { circuit.failed(askedAt: askedAt, now: now) }
    }
}
