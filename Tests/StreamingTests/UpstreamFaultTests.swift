import HTTPClient
import PlaygroundCore
import Testing

@testable import Streaming

@Suite struct UpstreamFaultTests {
    @Test(
        "the exchange's time-outs are time-outs, all else is an upstream error",
        arguments: [
            (ClientError.Reason.connectTimedOut, ErrorCode.upstreamTimeout), (.firstByteTimedOut, .upstreamTimeout),
            (.crowded, .upstreamUnavailable), (.connect("refused"), .upstreamError), (.tls("no trust"), .upstreamError),
            (.reset, .upstreamError),
            (.truncated, .upstreamError), (.malformed("chunk"), .upstreamError), (.headTooLarge, .upstreamError),
        ])
    func clientErrors(reason: ClientError.Reason, code: ErrorCode) {
        #expect(UpstreamFault(ClientError(reason, isAfterHead: false)).serviceError.code == code)
    }

    @Test("an error inside a stream keeps the class that is the request's own fault, without any status")
    func errorEvent() {
        let report = UpstreamErrorReport(body: Array(#"{"error":{"code":"context_length_exceeded"}}"#.utf8).span)
        #expect(UpstreamFault.errorEvent(report).serviceError.code == .contextLengthExceeded)
    }

    @Test("the class of a fault is one word, and none of the upstream's")
    func labels() {
        let report = UpstreamErrorReport(body: Array(#"{"error":{"code":"sk-secret","type":"sk-secret"}}"#.utf8).span)
        #expect(UpstreamFault.refused(status: 503, report, retryAfter: nil).label == "status_503")
        #expect(UpstreamFault.errorEvent(report).label == "error_event")
        #expect(UpstreamFault.malformedEvent("secret").label == "malformed_event")
        #expect(UpstreamFault.timedOut(.firstByte).label == "timeout_first_byte")
    }
}
