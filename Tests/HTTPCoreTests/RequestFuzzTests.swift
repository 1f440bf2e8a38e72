import HTTPCore
import Testing

@Suite("Mutated request streams")
struct RequestFuzzTests {
    static let seeds = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /a%20b?c=d HTTP/1.1\r\nHost: a:1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: b\r\n\r\n",
        "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\"b\"\r\nabc\r\n0\r\nT: v\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n",
        "GET http://h:80/p HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n",
        "\r\nGET /q HTTP/1.0\r\nContent-Type: a/b\r\n\r\n",
    ].map { Array($0.utf8) }
    static let fragments = [
        "\r\n", "\n", "\r", " ", "\t", ":", "\0", "\u{7f}", "%", "%00", "%4", "[", "]", ",", ";", "\"", "\\", "chunked",
        "0\r\n\r\n",
        "Content-Length: 1\r\n", "Transfer-Encoding: chunked\r\n", "Host: b\r\n", "HTTP/1.1", "9223372036854775807",
        "ffffffffffffffff",
    ].map { Array($0.utf8) }

    /// SplitMix64: the same streams in every run.
    struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
            return mixed ^ (mixed >> 31)
        }
        mutating func below(_ bound: Int) -> Int { Int(truncatingIfNeeded: next() % UInt64(max(bound, 1))) }
    }

    private func mutate(_ stream: inout [UInt8], _ random: inout Generator) {
        for _ in 0...random.below(3) {
            let at = random.below(stream.count)
            switch random.below(6) {
            case 0 where at < stream.count: stream[at] = UInt8(truncatingIfNeeded: random.next())
            case 1 where at < stream.count: stream[at] ^= 1 << UInt8(random.below(8))
            case 2 where at < stream.count: stream.removeSubrange(at..<min(stream.count, at + 1 + random.below(4)))
            case 3: stream.insert(contentsOf: Self.fragments[random.below(Self.fragments.count)], at: at)
            case 4 where at < stream.count:
                stream.insert(
                    contentsOf: stream[at..<min(stream.count, at + 1 + random.below(30))], at: random.below(stream.count))
            default: stream.append(contentsOf: Self.seeds[random.below(Self.seeds.count)])
            }
        }
    }

    @Test("50,000 streams trap nowhere and get one verdict, whole and cut", arguments: 0..<4)
    func agreement(_ part: Int) {
        var random = Generator(state: UInt64(part))
        let limits = ParserLimits(requestLine: 80, headerSection: 120, fieldCount: 4)
        var refused = 0
        var disagreements: [String] = []
        for _ in 0..<12_500 {
            var stream = Self.seeds[random.below(Self.seeds.count)]
            mutate(&stream, &random)
            var whole = ScriptedConnection(limits: limits)
            whole.receive(stream)
            whole.receiveEnd()
            var cut = ScriptedConnection(limits: limits)
            var start = 0
            let step = 1 + random.below(40)
            while start < stream.count {
                let end = min(stream.count, start + 1 + random.below(step))
                cut.receive(stream[start..<end])
                start = end
            }
            cut.receiveEnd()
            if whole.verdict != cut.verdict || whole.error != cut.error || whole.heads != cut.heads {
                disagreements.append(
                    "\(String(decoding: stream, as: UTF8.self).debugDescription): \(whole.verdict) / \(cut.verdict)")
            }
            if whole.verdict.refusal != nil { refused += 1 }
        }
        #expect(disagreements.isEmpty, "\(disagreements.prefix(5))")
        // Both verdicts must occur often, or the test would say little.
        #expect(refused > 3000 && refused < 12_000)
    }

    static let responses = [
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n",
        "HTTP/1.0 404 Not Found\r\nA: b\r\n\r\n",
        "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n",
    ].map { Array($0.utf8) }

    @Test("mutated response heads get one verdict, whole and byte by byte")
    func responses() {
        var random = Generator(state: 7)
        var accepted = 0
        for _ in 0..<5_000 {
            var stream = Self.responses[random.below(Self.responses.count)]
            mutate(&stream, &random)
            let whole = verdict(of: stream, stepwise: false)
            let cut = verdict(of: stream, stepwise: true)
            if whole != cut { Issue.record("\(String(decoding: stream, as: UTF8.self).debugDescription)") }
            if case .success(.some) = whole { accepted += 1 }
        }
        #expect(accepted > 500 && accepted < 4_500)
    }

    private func verdict(of stream: [UInt8], stepwise: Bool) -> Result<ResponseHead?, HTTPParseError> {
        var parser = ResponseHeadParser()
        do throws(HTTPParseError) {
            for count in (stepwise ? 1 : stream.count)...max(stream.count, 1) where count <= stream.count {
                if let head = try parser.parse(stream.span.extracting(0..<count)) { return .success(head) }
            }
            return .success(nil)
        } catch {
            return .failure(error)
        }
    }
}
