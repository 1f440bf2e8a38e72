import PlaygroundCore
import Testing

@Suite("Waits between attempts")
struct BackoffTests {
    @Test(
        "the longest wait doubles from 50 ms to 2 s",
        arguments: [(0, 50), (1, 100), (3, 400), (5, 1600), (6, 2000), (40, 2000)])
    func longest(failures: Int, milliseconds: Int) {
        var backoff = Backoff()
        for _ in 0..<failures { backoff.failed() }
        #expect(backoff.delay(random: 1) == .milliseconds(milliseconds))
        #expect(backoff.delay(random: 0) == .zero)
        #expect(backoff.delay(random: 0.5) == .milliseconds(milliseconds) / 2)
        backoff.succeeded()
        #expect(backoff.delay(random: 1) == .milliseconds(50))
    }
}
