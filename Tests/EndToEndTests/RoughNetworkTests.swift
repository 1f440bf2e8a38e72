import Foundation
import StrictJSON
import TestSupport
import Testing

/// Connections that carry seven bytes at a time and break at any byte, by FIN, by RST or by silence. Whatever happens, a stream
/// ends with `[DONE]` and whole, or tells its failure; and the bill has one row for each completion, for what the upstream sent.
@Suite("On a rough network")
struct RoughNetworkTests {
    /// Tokens of each completion.
    static let tokens = 10

    /// What a client got.
    enum Answer: Equatable {
        case done(tokens: Int)
        case failed(tokens: Int)
        case status(Int)
        /// The connection broke, or nothing came any more.
        case cut(tokens: Int)

        /// Tokens in the client's hands.
        var tokens: Int {
            switch self {
            case .done(let tokens), .failed(let tokens), .cut(let tokens): tokens
            case .status: 0
            }
        }
    }

    @Test("that cuts what clients send and get into slices, every stream is whole", arguments: [1, 7])
    func slices(size: Int) async throws {
        let (front, back) = (try RoughProxy(), try RoughProxy())
        defer {
            front.stop()
            back.stop()
        }
        try await Stack.with(environment: back.environment) { stack in
            front.aim(at: stack.server.port)
            back.aim(at: stack.upstream.port)
            var trouble = RoughProxy.Trouble()
            trouble.slice = size
            front.set(trouble)
            back.set(trouble)
            let client = try RawClient(port: front.port)
            for directives in ["tokens=20 esc=1", "tokens=20 esc=1 crlf=1 comment=1", "tokens=20 esc=1 framing=close"] {
                try client.sendCompletion(stack, "id=sliced \(directives)")
                let stream = try StreamTranscript(client.readResponse().body)
                #expect(stream.text == (0..<20).map { "k\($0)  \"q\" \n\t\\ / é é 漢 😀" }.joined())
                #expect(stream.isDone)
            }
            try stack.expect("select count(*) from usage where outcome = 'done' and completion_tokens = 20", becomes: "3")
            try stack.expectAllSettled()
        }
    }

    @Test(
        "that breaks between client and server, at any byte of the answer, the completion is billed once, for what was sent",
        .timeLimit(.minutes(1)))
    func answerToClient() async throws {
        let front = try RoughProxy()
        defer { front.stop() }
        try await Stack.with { stack in
            front.aim(at: stack.server.port)
            for isStream in [true, false] {
                let length = try stack.answerLength(through: front, at: front.port, isStream: isStream)
                for (how, offset) in Self.breaks(length) {
                    front.set(RoughProxy.Trouble(how, after: offset))
                    let what = "\(how) after \(offset) of \(length), stream=\(isStream)"
                    let answer = try stack.attempt(what, at: front.port, isStream: isStream)
                    switch answer {
                    case .cut: continue
                    // What is left of the limits is a few digits longer or shorter from answer to answer.
                    case .done where offset > length - 20: continue
                    default: throw TestFailure("\(what): \(answer)")
                    }
                }
            }
            try stack.expectAllSettled()
        }
    }

    @Test(
        "that breaks between client and server before the request is whole, nothing is asked of the upstream, nothing is billed")
    func requestToServer() async throws {
        let front = try RoughProxy()
        defer { front.stop() }
        try await Stack.with { stack in
            front.aim(at: stack.server.port)
            for how in RoughProxy.Break.allCases {
                for offset in [1, 40, 200, 300] {
                    front.set(RoughProxy.Trouble(how, after: offset, of: .request))
                    _ = try stack.attempt("\(how) after \(offset)", at: front.port, isStream: true, isAdmitted: false)
                }
            }
            try stack.expect("select count(*) from usage", becomes: "0")
            try stack.expectAllSettled()
            #expect(try stack.completed("tokens=2").status == 200)
        }
    }

    @Test(
        "that breaks between server and upstream, at any byte, the client is told and never gets [DONE]; what came is billed once",
        .timeLimit(.minutes(2)), arguments: [RoughProxy.Direction.answer, .request])
    func upstream(direction: RoughProxy.Direction) async throws {
        let back = try RoughProxy()
        defer { back.stop() }
        var environment = back.environment
        for name in ["FIRST_BYTE", "FIRST_TOKEN", "SILENCE"] { environment["UPSTREAM_\(name)_TIMEOUT"] = "1.5" }
        try await Stack.with(environment: environment) { stack in
            back.aim(at: stack.upstream.port)
            for isStream in [true, false] {
                let whole = try stack.answerLength(through: back, at: stack.server.port, isStream: isStream)
                let length = direction == .answer ? whole : 250
                for (how, offset) in Self.breaks(length) {
                    back.set(RoughProxy.Trouble(how, after: offset, of: direction))
                    let what = "\(how) after \(offset) of \(length), stream=\(isStream)"
                    let answer = try stack.attempt(what, at: stack.server.port, isStream: isStream, patience: .seconds(15))
                    switch answer {
                    case .failed: #expect(isStream, "\(what)")
                    case .status(let status): #expect([502, 503, 504].contains(status), "\(what): \(status)")
                    // All that matters had come: only the end of the body is missing.
                    case .done: #expect(direction == .answer && offset > length - 20, "\(what)")
                    case .cut: Issue.record("\(what): the client was told nothing")
                    }
                    // It is well again at once.
                    back.set(RoughProxy.Trouble())
                    #expect(try stack.completed("tokens=1").status == 200, "after \(what)")
                }
            }
            try stack.expectAllSettled()
        }
    }

    /// In the head, in events, in the last ones, in the end of the body; silences, which take longer, at some of them.
    private static func breaks(_ length: Int) -> [(RoughProxy.Break, Int)] {
        let offsets = [1, 20] + (1...8).map { length * $0 / 9 } + [length - 12, length - 6, length - 1]
        return offsets.flatMap { [(.fin, $0), (.rst, $0)] } + [1, length / 3, length - 12].map { (.silence, $0) }
    }
}

extension RoughProxy {
    /// Makes this the server's way to its upstream.
    fileprivate var environment: [String: String] { ["UPSTREAM_URL": "http://127.0.0.1:\(port)/v1"] }
}

extension RawClient {
    fileprivate func sendCompletion(_ stack: Stack, _ directives: String, id: String? = nil, isStream: Bool = true) throws {
        var fields = stack.fields()
        fields["Completion-Id"] = id
        try sendRequest(
            "POST", "/api/complete", fields,
            body: #"{"prompt":"[[\#(directives)]] Once","stream":\#(isStream),"max_tokens":50}"#)
    }
}

extension Stack {
    private static let directives = "tokens=\(RoughNetworkTests.tokens) interval=5"

    /// How many bytes an answer has on its way through a proxy.
    fileprivate func answerLength(through proxy: RoughProxy, at port: UInt16, isStream: Bool) throws -> Int {
        proxy.set(RoughProxy.Trouble())
        let answer = try attempt("unbroken", at: port, isStream: isStream)
        #expect(answer == .done(tokens: RoughNetworkTests.tokens))
        return proxy.answered
    }

    /// Asks for a completion on a connection of its own, and holds the bill against what the upstream sent.
    /// - Parameter isAdmitted: the request arrives whole.
    fileprivate func attempt(
        _ what: String, at port: UInt16, isStream: Bool, isAdmitted: Bool = true, patience: Duration = .milliseconds(700)
    ) throws -> RoughNetworkTests.Answer {
        let id = UUID().uuidString.lowercased()
        let client = try RawClient(port: port, deadline: patience)
        let answer: RoughNetworkTests.Answer
        do {
            try client.sendCompletion(self, "id=\(id) \(Self.directives)", id: id, isStream: isStream)
            answer = try client.readAnswer(isStream: isStream)
        } catch is TestFailure {
            answer = .cut(tokens: 0)
        }
        client.close()
        guard isAdmitted else {
            #expect(try upstreamRecords(id).isEmpty, "\(what)")
            return answer
        }
        let row = try row("select outcome, completion_tokens from usage where completion_id = '\(id)'")
        let billed = try #require(row[1].flatMap { Int($0) })
        let sent = try upstreamRecords(id).compactMap { $0["tokens_sent"]?.number?.integer }.reduce(0, +)
        #expect(billed >= answer.tokens, "\(what): the client has \(answer)")
        #expect(billed <= sent, "\(what): of \(sent)")
        switch answer {
        case .done:
            #expect(row == ["done", "\(RoughNetworkTests.tokens)"], "\(what)")
        case .failed, .status:
            #expect(row == ["failed", "\(billed)"], "\(what)")
            if isStream { #expect(billed == answer.tokens, "\(what)") }
        case .cut: break
        }
        #expect(try rows("select count(*) from usage where completion_id = '\(id)'") == [["1"]], "\(what)")
        return answer
    }
}

extension RawClient {
    /// Reads as far as anything comes. What breaks off before the head of the answer is whole is thrown.
    fileprivate func readAnswer(isStream: Bool) throws -> RoughNetworkTests.Answer {
        let head = try readHead()
        if head.status != 200 {
            _ = try readBody(of: head)
            return .status(head.status)
        }
        guard isStream else {
            guard let body = try? readBody(of: head) else { return .cut(tokens: 0) }
            let usage = try JSONValue(parsing: body)["usage"]
            return .done(tokens: Int(try #require(usage?["completion_tokens"]?.integer)))
        }
        var tokens = 0
        var hasFailed = false
        var isDone = false
        do {
            while let event = try readEvent() {
                #expect(!isDone && !hasFailed, "nothing follows the end")
                if event.event == "error" {
                    hasFailed = true
                } else if event.data == "[DONE]" {
                    isDone = true
                } else if let data = event.data, try JSONValue(parsing: data)["text"]?.string?.isEmpty == false {
                    tokens += 1
                }
            }
        } catch is TestFailure {
            return .cut(tokens: tokens)
        }
        #expect(isDone != hasFailed, "a body that ends properly tells how the completion ended")
        return isDone ? .done(tokens: tokens) : .failed(tokens: tokens)
    }
}
