import Testing

@testable import UpstreamSimulator

@Suite("Directives in a prompt")
struct DirectivesTests {
    @Test("are read from the first double brackets, whatever stands around them")
    func read() throws {
        let directives = try Directives(prompt: "say: [[tokens=5 interval=20 ts=1 id=a-1]] hello [[tokens=9]]")
        #expect(directives.isPresent)
        #expect(directives.tokens == 5)
        #expect(directives.interval == 20)
        #expect(directives.isStamped)
        #expect(directives.id == "a-1")
    }

    @Test("take `stamp` and `ts` for the same", arguments: ["stamp=1", "ts=1"])
    func aliases(word: String) throws {
        #expect(try Directives(prompt: "[[\(word)]]").isStamped)
    }

    @Test(
        "are absent from ordinary text", arguments: ["", "hello", "[[1, 2], [3, 4]]", "[[link]]", "[[tokens=5", "]] tokens=5 [["])
    func absent(prompt: String) throws {
        #expect(try Directives(prompt: prompt) == Directives())
    }

    @Test(
        "are refused where one of them is mistyped, by name",
        arguments: ["tokens=5 intervall=20", "tokens=five", "tokens=5 framing=odd", "tokens=5 status=1000", "tokens=5 first=-1"])
    func mistyped(words: String) {
        #expect(throws: APIError.self) { try Directives(prompt: "[[\(words)]]") }
    }

    @Test("lose their faults, and only these, when they recover")
    func recover() throws {
        var directives = try Directives(prompt: "[[tokens=3 interval=7 status=503 drop_after=1 drop_head=1 malformed=1]]")
        directives.recover()
        var expected = Directives()
        expected.isPresent = true
        expected.tokens = 3
        expected.interval = 7
        #expect(directives == expected)
    }
}
