import Testing

@testable import LoadGenerator

@Suite("The check of a stream")
struct EventCheckerTests {
    private static let ours = """
        data: {"text":"k0 100 "}

        : keep-alive

        data: {"text":"k1 200 xxx"}

        data: {"text":"","finish_reason":"length","usage":{"prompt_tokens":1}}

        data: [DONE]


        """
    private static let openai = """
        data: {"id":"c","choices":[{"text":"k0 100 ","index":0,"logprobs":null,"finish_reason":null}],"model":"m","usage":null}

        data: {"id":"c","choices":[{"text":"k1 200 ","index":0,"logprobs":null,"finish_reason":"length"}],"model":"m","usage":null}

        data: {"id":"c","model":"m","usage":{"prompt_tokens":1},"choices":[]}

        data: [DONE]


        """

    private func check(
        _ text: String, _ dialect: Dialect, pieces: Int = Int.max, expected: Int? = 2, isEscaped: Bool = false
    ) -> (verdict: String?, sent: [Int64]) {
        var checker = EventChecker(dialect: dialect, isEscaped: isEscaped)
        var sent: [Int64] = []
        let bytes = Array(text.utf8)
        var start = 0
        while start < bytes.count {
            let end = start + min(pieces, bytes.count - start)
            bytes[start..<end].withUnsafeBufferPointer { checker.take($0) { sent.append($0.sent) } }
            start = end
        }
        return (checker.end(expected: expected), sent)
    }

    @Test("passes a whole stream, however it is cut", arguments: [(ours, Dialect.ours), (openai, .openai)])
    func whole(stream: (String, Dialect)) {
        for pieces in [1, 2, 3, 7, 64, Int.max] {
            let result = check(stream.0, stream.1, pieces: pieces)
            #expect(result.verdict == nil)
            #expect(result.sent == [100, 200])
        }
        for split in 1..<stream.0.utf8.count { #expect(check(stream.0, stream.1, pieces: split).verdict == nil) }
    }

    @Test(
        "fails what is not a whole stream",
        arguments: [
            ("data: [DONE]\n\n", "\n", "no [DONE]"), ("\"k1 200 xxx\"", "\"k2 200 \"", "token missing"),
            ("\"k1 200 xxx\"", "\"k0 200 \"", "token twice"), ("\"k1 200 xxx\"", "\"1k 200 \"", "text altered"),
            ("data: {\"text\":\"k1 200 xxx\"}\n\n", "", "token count"), ("\"finish_reason\":\"length\",", "", "no finish_reason"),
            ("data: {\"text\":\"k1", "data:{\"text\":\"k1", "not a data line"),
            (": keep-alive", "event: error\ndata: {}", "error event"), (": keep-alive", "id: 7", "not a data line"),
            ("data: {\"text\":\"\",", "data: {", "no text"),
            ("data: [DONE]\n\n", "data: [DONE]\n\ndata: {\"text\":\"\"}\n\n", "data after [DONE]"),
            ("data: [DONE]\n\n", "data: [DONE]\n", "ends inside a frame"),
        ])
    func broken(old: String, new: String, verdict: String) throws {
        let range = try #require(Self.ours.firstRange(of: old))
        var text = Self.ours
        text.replaceSubrange(range, with: new)
        #expect(check(text, .ours).verdict == verdict)
    }

    @Test("takes an error inside the stream for a failure")
    func errorEvent() {
        #expect(check("data: {\"error\":{\"message\":\"no\"}}\n\n", .openai).verdict == "error event")
    }

    @Test("compares escaped tokens whole")
    func escaped() {
        let tail = #" \"q\" \n\t\\ / \u00e9 é 漢 😀"#
        let good = "data: {\"text\":\"k0 5 \(tail)\"}\n\ndata: {\"text\":\"\",\"finish_reason\":\"stop\"}\n\ndata: [DONE]\n\n"
        #expect(check(good, .ours, expected: 1, isEscaped: true).verdict == nil)
        let bad = "data: {\"text\":\"k0 5 \\\"q\\\"\"}\n\ndata: [DONE]\n\n"
        #expect(check(bad, .ours, expected: 1, isEscaped: true).verdict == "text altered")
    }

    @Test("knows whether a read ended with a frame")
    func frameEnds() {
        var checker = EventChecker(dialect: .ours, isEscaped: false)
        func take(_ text: String) { Array(text.utf8).withUnsafeBufferPointer { checker.take($0) { _ in } } }
        take("data: {\"text\":\"k0 1 \"}\n\n")
        #expect(checker.isAtFrameEnd)
        take("data: {\"text\":\"k1 1 \"}\n")
        #expect(!checker.isAtFrameEnd)
        take("\n")
        #expect(checker.isAtFrameEnd)
        take("da")
        #expect(!checker.isAtFrameEnd)
    }
}

@Suite("A histogram")
struct HistogramTests {
    @Test("gives quantiles within 3 %", arguments: [0.01, 0.5, 0.9, 0.99])
    func quantiles(fraction: Double) throws {
        var histogram = Histogram()
        for value in 1...100_000 { histogram.add(Int64(value) * 1_000) }
        let exact = fraction * 100
        let found = try #require(histogram.quantile(fraction))
        #expect(abs(found - exact) <= exact * 0.035)
    }

    @Test("knows the largest exactly, and nothing when it is empty")
    func ends() {
        var histogram = Histogram()
        #expect(histogram.quantile(0.5) == nil)
        histogram.add(-5)
        histogram.add(3_000_000)
        #expect(histogram.quantile(1) == 3)
        #expect(histogram.count == 2)
    }
}
