/// An answer other than 200, read as far as it says why. A class of its own so that streams do not carry its room.
final class Refusal {
    private let answer: UpstreamAnswer
    private var body: [UInt8] = []

    init(_ answer: UpstreamAnswer) { self.answer = answer }

    /// - Returns: false once as much was taken as is read.
    func take(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        body.append(contentsOf: bytes.prefix(CompletionRelay.refusalLimit - body.count))
        return body.count < CompletionRelay.refusalLimit
    }

    var fault: UpstreamFault {
        .refused(status: answer.status, UpstreamErrorReport(body: body.span), retryAfter: answer.retryAfter)
    }
}
