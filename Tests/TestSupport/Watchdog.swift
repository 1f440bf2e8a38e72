import Foundation
import Glibc
import Synchronization

/// Ends what a test process has started, however the test process itself ends: a small shell reads from a pipe that only we
/// hold, and cleans up when it is closed.
enum Watchdog {
    private static let pipe = Mutex<Int32>(-1)

    /// `+ pid` and `- pid`: a process to kill. `D directory` and `d directory`: a PostgreSQL server to end and remove.
    private static let script = """
        pids=' '; directories=' '
        while read -r operation name; do
            case $operation in
                +) pids="$pids$name ";;
                -) case $pids in *" $name "*) pids="${pids%% $name *} ${pids#* $name }";; esac;;
                D) directories="$directories$name ";;
                d) case $directories in *" $name "*) directories="${directories%% $name *} ${directories#* $name }";; esac;;
            esac
        done
        for pid in $pids; do kill -KILL $pid; done
        for directory in $directories; do
            pid=$(head -n 1 $directory/data/postmaster.pid 2>/dev/null)
            if [ -n "$pid" ]; then
                kill -CONT $pid $(cat /proc/$pid/task/$pid/children)
                kill -QUIT $pid
                for turn in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
                    kill -0 $pid || break
                    sleep 0.1
                done
                kill -KILL $pid
            fi
            rm -rf $directory
        done
        """

    static func tell(_ line: String) {
        pipe.withLock { pipe in
            if pipe < 0 { pipe = start() }
            let bytes = Array((line + "\n").utf8)
            precondition(write(pipe, bytes, bytes.count) == bytes.count, "the watchdog has gone")
        }
    }

    private static func start() -> Int32 {
        do {
            let ends = try Spawn.pipe()
            // In a session of its own, so that Ctrl-C on the tests leaves it to clean up.
            _ = try Spawn(
                "/bin/sh", ["-c", script], environment: nil, input: ends.read, output: nil, error: nil, newSession: true)
            close(ends.read)
            return ends.write
        } catch {
            preconditionFailure("cannot start the watchdog: \(error)")
        }
    }
}

/// posix_spawn with descriptors for the three standard streams; nil is /dev/null.
struct Spawn {
    let pid: pid_t

    /// Held while descriptors are made and while children are: a child must not inherit a pipe that is not marked yet, or
    /// its other end is never told of the end.
    private static let lock = Mutex(())

    /// A pipe whose ends no child inherits by itself.
    static func pipe() throws -> (read: Int32, write: Int32) {
        try lock.withLock { _ in
            var ends: [Int32] = [-1, -1]
            guard Glibc.pipe(&ends) == 0 else { throw TestFailure("no pipe: \(String(cString: strerror(errno)))") }
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            return (ends[0], ends[1])
        }
    }

    init(
        _ executable: String, _ arguments: [String], environment: [String: String]?, input: Int32?, output: Int32?, error: Int32?,
        newSession: Bool = false
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (target, source, mode) in [(0, input, O_RDONLY), (1, output, O_WRONLY), (2, error, O_WRONLY)] {
            if let source {
                posix_spawn_file_actions_adddup2(&actions, source, Int32(target))
            } else {
                posix_spawn_file_actions_addopen(&actions, Int32(target), "/dev/null", mode, 0)
            }
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The child starts with no signal blocked or ignored, whatever this process does with them.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigaddset(&signals, SIGPIPE)
        sigaddset(&signals, SIGTERM)
        sigaddset(&signals, SIGINT)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        // 0x80 is POSIX_SPAWN_SETSID, which the headers show only with _GNU_SOURCE.
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) | (newSession ? 0x80 : 0))
        let environment = environment ?? ProcessInfo.processInfo.environment
        var cArguments = ([executable] + arguments).map { strdup($0) } + [nil]
        var cEnvironment = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer {
            for string in cArguments { free(string) }
            for string in cEnvironment { free(string) }
        }
        var pid: pid_t = 0
        let result = Self.lock.withLock { _ in
            posix_spawn(&pid, executable, &actions, &attributes, &cArguments, &cEnvironment)
        }
        guard result == 0 else {
            throw TestFailure("cannot start \(executable): \(String(cString: strerror(result)))")
        }
        self.pid = pid
    }
}
