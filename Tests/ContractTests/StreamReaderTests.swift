import Foundation
import StrictJSON
import TestSupport
import Testing

@Suite("The stream readers of docs/streaming.md read every stream, however it is cut", .serialized)
struct StreamReaderTests {
    /// A stream and what a reader makes of it.
    struct Case: Sendable {
        let stream: String
        let text: String
        let finishReason: String?
        /// `done`, `cut`, or a problem's code.
        let ending: String

        var expectation: String { "\(text)|\(finishReason ?? "")|\(ending)" }
    }

    /// Beside a text, and where the text went ahead.
    static let withLogprobs = """
        data: {"text":" snake_case","logprobs":{"tokens":[" snake","_case"],"token_logprobs":[-0.25,null],\
        "top_logprobs":[{" snake":-0.25,"_my_case":-1.5e1},null],"text_offset":[0,6]}}

        data: {"text":"!"}

        data: {"text":"","logprobs":{"tokens":["!"],"token_logprobs":[-1],"top_logprobs":[{"!":-1}],"text_offset":[11]}}

        data: {"text":"","finish_reason":"length","usage":{"prompt_tokens":4,"completion_tokens":3,"total_tokens":7}}

        data: [DONE]


        """

    static let cases = [
        Case(
            stream: """
                : keep-alive

                data: {"text":" Once"}

                data: {"text":" über \\n\\n \\"data: [DONE]\\" 😀"}

                : keep-alive

                event: news
                data: {"text":"not for old clients"}

                data: {"text":"","finish_reason":"stop","usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6}}

                data: [DONE]


                """,
            text: " Once über \n\n \"data: [DONE]\" 😀", finishReason: "stop", ending: "done"),
        Case(
            stream: """
                data: {"text":" half"}

                event: error
                data: {"status":502,"detail":"The upstream failed","code":"upstream_error","retryable":true}


                """,
            text: " half", finishReason: nil, ending: "upstream_error"),
        Case(stream: withLogprobs, text: " snake_case!", finishReason: "length", ending: "done"),
        Case(stream: "data: {\"text\":\" half\"}\n\ndata: {\"te", text: " half", finishReason: nil, ending: "cut"),
        Case(stream: ": keep-alive\n\n", text: "", finishReason: nil, ending: "cut"),
    ]

    @Test("Python")
    func python() async throws {
        let driver = """

            import sys

            def outcome(parts):
                text, reason, ending = "", "", "done"
                try:
                    for chunk in read_completion(parts):
                        text += chunk["text"]
                        reason = chunk.get("finish_reason", reason)
                except CompletionFailed as failure:
                    ending = failure.problem["code"] if failure.problem else "cut"
                return f"{text}|{reason}|{ending}"

            body = open(sys.argv[1], "rb").read()
            cuts = [[body[:i], body[i:]] for i in range(len(body) + 1)] + [[bytes([byte]) for byte in body]]
            print(json.dumps(sorted({outcome(parts) for parts in cuts})))
            """
        for example in Self.cases {
            let outcomes = try await run(["python3"], "reader.py", try Self.block("python") + driver, example)
            #expect(outcomes == [example.expectation])
        }
    }

    // The project needs no Node; where there is one, this reader runs too.
    @Test("TypeScript", .enabled(if: isInstalled("node")))
    func typeScript() async throws {
        let driver = """

            import { readFileSync } from "node:fs";

            async function outcome(parts) {
              let text = "", reason = "", ending = "done";
              const body = new ReadableStream({ start(c) { for (const part of parts) c.enqueue(part); c.close(); } });
              try {
                for await (const chunk of readCompletion(body)) {
                  text += chunk.text;
                  reason = chunk.finish_reason ?? reason;
                }
              } catch (failure) {
                if (!(failure instanceof CompletionFailed)) throw failure;
                ending = failure.problem?.code ?? "cut";
              }
              return `${text}|${reason}|${ending}`;
            }

            const body = new Uint8Array(readFileSync(process.argv[2]));
            const outcomes = new Set([await outcome([...body].map((byte) => Uint8Array.of(byte)))]);
            for (let i = 0; i <= body.length; i++) outcomes.add(await outcome([body.slice(0, i), body.slice(i)]));
            console.log(JSON.stringify([...outcomes]));
            """
        let program = try Self.withoutTypes(try Self.block("typescript")) + driver
        for example in Self.cases {
            let outcomes = try await run(["node"], "reader.mjs", program, example)
            #expect(outcomes == [example.expectation])
        }
    }

    @Test("Swift", arguments: cases)
    func swift(_ example: Case) async throws {
        var text = ""
        var reason: String?
        var ending = "done"
        do {
            try await readCompletion(Bytes(Array(example.stream.utf8))) { chunk in
                text += chunk.text
                reason = chunk.finishReason ?? reason
            }
        } catch let failure as CompletionFailed {
            let problem = try failure.problem.map { try JSONValue(parsing: Array($0)) }
            ending = problem?.object?["code"]?.string ?? "cut"
        }
        #expect("\(text)|\(reason ?? "")|\(ending)" == example.expectation)
    }

    @Test("Swift: log probabilities come as they were sent, what is not known as nil")
    func swiftLogprobs() async throws {
        var found: [Logprobs] = []
        try await readCompletion(Bytes(Array(Self.withLogprobs.utf8))) { found += [$0.logprobs].compactMap(\.self) }
        #expect(found.map(\.tokens) == [[" snake", "_case"], ["!"]])
        #expect(found.map(\.tokenLogprobs) == [[-0.25, nil], [-1]])
        #expect(found.map(\.topLogprobs) == [[[" snake": -0.25, "_my_case": -15], nil], [["!": -1]]])
        #expect(found.map(\.textOffset) == [[0, 6], [11]])
    }

    @Test("the Swift reader that is tested is the one in the document")
    func swiftReaderIsTheDocuments() throws {
        let source = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "StreamReader.swift")
        #expect(try String(contentsOf: source, encoding: .utf8) == Self.block("swift"))
    }

    @Test("the document has readers for four languages, each of about twenty lines")
    func readersAreShort() throws {
        for language in ["typescript", "swift", "kotlin", "python"] {
            #expect(try Self.block(language).split(separator: "\n").count <= 40)
        }
    }

    // MARK: Programs

    /// The code block of a language, as it stands in the document.
    private static func block(_ language: String) throws -> String {
        let url = APIContract.projectDirectory.appending(path: "docs/streaming.md")
        let document = try String(contentsOf: url, encoding: .utf8)
        let blocks = document.components(separatedBy: "```\(language)\n").dropFirst()
        guard let block = blocks.first?.components(separatedBy: "```").first, blocks.count == 1 else {
            throw TestFailure("docs/streaming.md has not one block in \(language)")
        }
        return block
    }

    /// Node reads no types before version 22. These are all there are; another one makes Node fail.
    private static func withoutTypes(_ code: String) throws -> String {
        let types = [
            "?: { code: string; detail: string; retryable: boolean }", ": ReadableStream<Uint8Array>",
            ": AsyncGenerator<CompletionChunk>",
        ]
        var lines = code.components(separatedBy: "\n").filter { !$0.hasPrefix("export type ") }.joined(separator: "\n")
        for type in types {
            guard lines.contains(type) else { throw TestFailure("the reader has no `\(type)` any more") }
            lines = lines.replacingOccurrences(of: type, with: "")
        }
        return lines
    }

    private static func isInstalled(_ program: String) -> Bool {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
            .contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(program)") }
    }

    /// Runs a program on a stream in a file; its last line is what came out, each different outcome once.
    private func run(_ command: [String], _ name: String, _ program: String, _ example: Case) async throws -> [String] {
        let directory = FileManager.default.temporaryDirectory.appending(path: "stream-reader-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let script = directory.appending(path: name).path
        let stream = directory.appending(path: "stream").path
        try program.write(toFile: script, atomically: true, encoding: .utf8)
        try example.stream.write(toFile: stream, atomically: true, encoding: .utf8)
        let process = try ChildProcess("/usr/bin/env", command + [script, stream])
        let status = try await offPool { try process.waitForOutput() }
        guard status == 0, let line = process.lines.last else {
            throw TestFailure("\(command[0]) ended with \(status): \(process.lines.joined(separator: "\n"))")
        }
        return try JSONValue(parsing: line).array?.compactMap(\.string) ?? []
    }
}

/// Bytes that come one at a time.
private struct Bytes: AsyncSequence {
    struct AsyncIterator: AsyncIteratorProtocol {
        var rest: ArraySlice<UInt8>

        mutating func next() async throws -> UInt8? { rest.popFirst() }
    }

    let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(rest: bytes[...]) }
}
