import Foundation
import Glibc

/// A process started by a test: its lines are kept, it can be signalled by pid, and it ends with the test process.
///
/// The waits block the calling thread; use ``offPool(_:)`` around them in tests that run beside others.
package final class ChildProcess: Sendable {
    package let pid: Int32
    private let transcript = Transcript()

    /// - Parameters:
    ///   - executable: an absolute path, or a name in the directory of this test bundle (another product of the build).
    ///   - environment: nil for that of the test process.
    package init(_ executable: String, _ arguments: [String] = [], environment: [String: String]? = nil) throws {
        let path = executable.hasPrefix("/") ? executable : Self.buildDirectory + "/" + executable
        let output = try Spawn.pipe()
        let error = try Spawn.pipe()
        defer {
            close(output.write)
            close(error.write)
        }
        pid = try Spawn(path, arguments, environment: environment, input: nil, output: output.write, error: error.write).pid
        Watchdog.tell("+ \(pid)")
        for descriptor in [output.read, error.read] {
            Thread.detachNewThread { [transcript] in transcript.read(descriptor) }
        }
        Thread.detachNewThread { [transcript, pid] in transcript.reap(pid) }
    }

    /// Runs a program to its end and returns the lines it printed.
    /// - Throws: those lines, where its exit status is not 0.
    @discardableResult
    package static func run(
        _ executable: String, _ arguments: [String], environment: [String: String]? = nil, deadline: Duration = .seconds(30)
    ) throws -> [String] {
        let process = try ChildProcess(executable, arguments, environment: environment)
        let status = try process.waitForOutput(deadline: deadline)
        if status != 0 { throw TestFailure("\(executable) \(arguments) ended with \(status): \(process.lines.suffix(20))") }
        return process.lines
    }

    /// Where the build puts executables: beside the test bundle.
    package static var buildDirectory: String {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink("/proc/self/exe", &path, path.count - 1)
        let text = String(decoding: path.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return String(text[..<(text.lastIndex(of: "/") ?? text.endIndex)])
    }

    /// What it has written so far to stdout and stderr, the latest 10,000 lines in the order of their arrival.
    package var lines: [String] { transcript.lines }

    /// Waits for a line that contains `text`, earlier lines included.
    @discardableResult
    package func waitForLine(containing text: String, deadline: Duration = .seconds(10)) throws -> String {
        try transcript.wait(for: text, deadline: deadline)
    }

    /// Whether it has not ended yet.
    package var isRunning: Bool { transcript.status == nil }

    /// Sends a signal, unless it has ended.
    package func signal(_ signal: Int32) {
        transcript.whileRunning { kill(pid, signal) }
    }

    /// Waits for the end and returns the exit status, or minus the signal that ended it.
    @discardableResult
    package func waitForExit(deadline: Duration = .seconds(30)) throws -> Int32 {
        try transcript.waitForExit(deadline: deadline)
    }

    /// Waits for the end and for all of its output; the exit status, or minus the signal that ended it. A child of its own
    /// that keeps the output open is waited for too.
    @discardableResult
    package func waitForOutput(deadline: Duration = .seconds(30)) throws -> Int32 {
        try transcript.waitForOutput(deadline: deadline)
    }

    /// SIGTERM, then the exit status.
    @discardableResult
    package func terminate(deadline: Duration = .seconds(30)) throws -> Int32 {
        signal(SIGTERM)
        return try waitForExit(deadline: deadline)
    }

    /// SIGKILL, and waits for the end.
    package func kill() throws {
        signal(SIGKILL)
        try waitForExit(deadline: .seconds(10))
    }

    private func kill(_ pid: pid_t, _ signal: Int32) {
        Glibc.kill(pid, signal)
    }
}

/// Lines and end of a child process, written by its reader threads, waited for by tests.
// @unchecked: everything mutable is read and written under the condition's lock.
private final class Transcript: @unchecked Sendable {
    private static let kept = 10_000
    private let condition = NSCondition()
    private var stored: [String] = []
    private var ended: Int32?
    private var readersLeft = 2

    var lines: [String] { condition.withLock { stored } }
    var status: Int32? { condition.withLock { ended } }

    func read(_ descriptor: Int32) {
        var rest: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { break }
            rest.append(contentsOf: buffer[..<count])
            var complete = rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            rest = complete.popLast().map(Array.init) ?? []
            append(complete.map { String(decoding: $0, as: UTF8.self) })
        }
        close(descriptor)
        if !rest.isEmpty { append([String(decoding: rest, as: UTF8.self)]) }
        condition.withLock {
            readersLeft -= 1
            condition.broadcast()
        }
    }

    func reap(_ pid: pid_t) {
        // Left as a zombie until the lock is held, so that a signal never meets a reused pid.
        var details = siginfo_t()
        while waitid(P_PID, id_t(pid), &details, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        condition.withLock {
            var status: Int32 = 0
            waitpid(pid, &status, 0)
            ended = status & 0x7F == 0 ? status >> 8 & 0xFF : -(status & 0x7F)
            condition.broadcast()
        }
        Watchdog.tell("- \(pid)")
    }

    func whileRunning(_ body: () -> Void) {
        condition.withLock { if ended == nil { body() } }
    }

    func wait(for text: String, deadline: Duration) throws -> String {
        try wait(deadline, "no line with '\(text)'") {
            if let line = stored.first(where: { $0.contains(text) }) { return line }
            if ended != nil, readersLeft == 0 { throw TestFailure("ended without a line with '\(text)': \(tail)") }
            return nil
        }
    }

    func waitForExit(deadline: Duration) throws -> Int32 {
        try wait(deadline, "still running") { ended }
    }

    func waitForOutput(deadline: Duration) throws -> Int32 {
        try wait(deadline, "still running") { readersLeft == 0 ? ended : nil }
    }

    private func wait<Value>(_ deadline: Duration, _ complaint: String, _ condition: () throws -> Value?) throws -> Value {
        let end = Date(timeIntervalSinceNow: Double(deadline.components.seconds) + Double(deadline.components.attoseconds) / 1e18)
        self.condition.lock()
        defer { self.condition.unlock() }
        while true {
            if let value = try condition() { return value }
            if !self.condition.wait(until: end) {
                if let value = try condition() { return value }
                throw TestFailure("\(complaint) within \(deadline): \(tail)")
            }
        }
    }

    private func append(_ lines: [String]) {
        condition.withLock {
            stored.append(contentsOf: lines)
            if stored.count > Self.kept { stored.removeFirst(stored.count - Self.kept) }
            condition.broadcast()
        }
    }

    private var tail: String { stored.suffix(20).joined(separator: "\n") }
}

/// Runs blocking test code on a thread of its own, so that it holds up no other test. It stays the test's task: what it
/// finds is reported under the test's name.
package func offPool<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withTaskExecutorPreference(ThreadForEachJob()) { try await onPreferredExecutor(body) }
}

@concurrent
private func onPreferredExecutor<Result: Sendable>(_ body: @Sendable () throws -> Result) async throws -> Result { try body() }

/// An executor whose jobs may block.
private final class ThreadForEachJob: TaskExecutor {
    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        Thread.detachNewThread { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
