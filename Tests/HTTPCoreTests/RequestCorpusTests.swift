import Foundation
import HTTPCore
import HTTPTypes
import Testing

/// Judges a corpus of request streams collected from other servers' test suites. Left to a live run, since only a socket
/// shows it: that the connection closes after a refusal and within what time (`must_close` beyond the keep-alive verdict),
/// that no 100 is sent to an HTTP/1.0 client (`no_1xx` beyond `expectsContinue`), and that a fresh connection works
/// afterwards. `half_close` is the end of input here; a declared body above 256 KiB is refused by the test's connection.
@Suite("Outside request corpus")
struct RequestCorpusTests {
    struct Case: Decodable {
        var name: String
        var request_base64: String
        var expect: String
        var status: [Int]?
        var responses: Counts?
        var max_responses: Int?
        var half_close: Bool?
        var no_1xx: Bool?
        var must_close: Bool?

        /// One number, or any of several.
        struct Counts: Decodable {
            var values: [Int]
            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let single = try? container.decode(Int.self) {
                    values = [single]
                } else {
                    values = try container.decode([Int].self)
                }
            }
        }
    }

    static let refusals: Set<Int> = [400, 408, 411, 413, 414, 415, 417, 426, 431, 501, 505]
    static let served: Set<HTTPRequest.Method> = [.get, .head, .post, .put, .patch, .delete, .options]
    /// The corpora are no part of the project; whoever has them names their directory.
    static let directory = ProcessInfo.processInfo.environment["CORPORA"]

    @Test("every stream gets its verdict, however it is cut", .enabled(if: directory != nil, "CORPORA is not set"))
    func corpus() throws {
        let directory = try #require(Self.directory)
        var count = 0
        for file in ["requests.json", "either.json"] {
            let data = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/http1-requests/\(file)"))
            for entry in try JSONDecoder().decode([Case].self, from: data) {
                let stream = [UInt8](try #require(Data(base64Encoded: entry.request_base64)))
                let whole = judge(entry, stream, .whole)
                for delivery in [Delivery.bytes, .lines] {
                    #expect(judge(entry, stream, delivery) == whole, "\(entry.name), delivered as \(delivery)")
                }
                count += 1
            }
        }
        #expect(count > 500)
    }

    private func judge(_ entry: Case, _ stream: [UInt8], _ delivery: Delivery) -> ScriptedConnection.Verdict {
        let connection = ScriptedConnection.after(stream, delivery, end: entry.half_close ?? false)
        let verdict = connection.verdict
        let name: Comment = "\(entry.name), delivered as \(delivery): \(verdict)"
        let answers = verdict.requests + (verdict.refusal == nil ? 0 : 1)
        if let most = entry.max_responses { #expect(answers <= most, name) }
        if entry.no_1xx == true {
            let expecting = connection.heads.filter(\.expectsContinue)
            #expect(expecting.isEmpty, name)
        }
        switch entry.expect {
        case "reject":
            let allowed = entry.status.map(Set.init) ?? Self.refusals
            // The router answers a well-formed request with an unknown method.
            let isForRouter =
                allowed.contains(405) && connection.heads.count == 1 && !Self.served.contains(connection.heads[0].method)
            #expect(verdict.requests == (isForRouter ? 1 : 0), name)
            #expect(allowed.contains(verdict.refusal ?? (isForRouter ? 405 : 0)), name)
        case "accept":
            let wanted = entry.responses?.values ?? [1]
            #expect(wanted.contains(verdict.requests), name)
            #expect(verdict.refusal == nil, name)
            if entry.must_close == true { #expect(verdict.closed, name) }
        default:
            #expect(entry.expect == "either", name)
        }
        return verdict
    }
}
