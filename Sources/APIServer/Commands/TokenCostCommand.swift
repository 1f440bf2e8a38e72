import ArgumentParser
import Auth
import EventLoop
import Glibc
import PlaygroundCore

/// For benchmarks: what every authenticated request pays first, measured inside this very program.
struct TokenCostCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token-cost", abstract: "Measure what checking a session token costs.", shouldDisplay: false)

    private static let tokens = 1_000
    /// As many as are remembered where fifty sessions end every second.
    private static let revoked = 50_000

    @Option(help: "How many checks.") var count = 2_000_000

    /// Three keys of which the last has signed, as while keys are being replaced, and a set of sessions that ended.
    func run() throws {
        let now = SystemClock.microseconds() / 1_000_000
        let entries = try (0..<3).map { _ in try KeyRing.newEntry(on: CalendarDate(number: 20_000)) }
        let signing = AccessTokenCodec(keys: try KeyRing(parsing: entries[2]))
        let revoked = RevokedSessions()
        for _ in 0..<Self.revoked { revoked.insert(SessionID(Self.randomID()), age: 0, now: now) }
        let tokens = (0..<Self.tokens).compactMap { _ in
            signing.issue(user: UserID(Self.randomID()), session: SessionID(Self.randomID()), now: now)
        }
        let authenticator = Authenticator(
            keys: SessionKeys(try KeyRing(parsing: entries.joined(separator: ","))), revoked: revoked, acceptsLoadTokens: false)
        for token in tokens { _ = try authenticator.authenticate(token, now: now) }
        let before = Self.cpuNanoseconds()
        for index in 0..<count { _ = try authenticator.authenticate(tokens[index % tokens.count], now: now) }
        let cost = Double(Self.cpuNanoseconds() - before) / 1_000 / Double(max(1, count))
        let rounded = (cost * 1_000).rounded() / 1_000
        StandardOutput.line(#"{"label":"token ours","checks":\#(count),"us_token":\#(rounded)}"#)
    }

    private static func randomID() -> UUIDBytes {
        UUIDBytes(high: .random(in: 0...UInt64.max), low: .random(in: 0...UInt64.max))
    }

    private static func cpuNanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
