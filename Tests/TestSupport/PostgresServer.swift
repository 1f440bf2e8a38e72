import Foundation
import Glibc
import Postgres
import Synchronization

/// A private PostgreSQL server: a directory of its own, a free port of 127.0.0.1, no durability. It ends with the test process.
///
/// Needs PostgreSQL's server binaries (Debian: postgresql) and throws with that advice when they are absent. When tests run as
/// root it runs as the user postgres, because PostgreSQL refuses root.
package final class PostgresServer: Sendable {
    package let port: UInt16
    private let directory: String
    private let settings: [String: String]
    private let process = Mutex<ChildProcess?>(nil)
    private let counter = Atomic<Int>(0)
    private let connecting = Mutex(())
    /// A database with the schema, to be copied.
    private let template = Mutex<String?>(nil)

    private static let common = Result { try PostgresServer() }

    /// The server that all tests of this process share; started by the first call.
    package static func shared() throws -> PostgresServer { try common.get() }

    /// A server of one's own, made without holding up other tests: making one blocks for a second or more.
    package static func own(settings: [String: String] = [:]) async throws -> PostgresServer {
        try await offPool { try PostgresServer(settings: settings) }
    }

    /// A server of one's own, to be stopped and killed. `settings` are PostgreSQL's, as in postgresql.conf.
    package init(settings: [String: String] = [:]) throws {
        self.settings = settings
        directory = try Self.makeDirectory()
        Watchdog.tell("D \(directory)")
        port = try freePort()
        let arguments = [
            try Self.binaries() + "/initdb", "-D", directory + "/data", "-U", "postgres", "-A", "trust", "-E", "UTF8",
            "--locale=C.UTF-8", "--no-sync", "--no-instructions",
        ]
        let initialize = try ChildProcess(Self.wrapper[0], Self.wrapper.dropFirst() + arguments)
        guard try initialize.waitForExit(deadline: .seconds(60)) == 0 else {
            throw TestFailure("initdb failed: \(initialize.lines.joined(separator: "\n"))")
        }
        try start()
    }

    /// Starts it, for the first time or after ``stopImmediately()`` or ``kill()``; on the same port. Returns when it accepts.
    package func start() throws {
        var arguments = [try Self.binaries() + "/postgres", "-D", directory + "/data", "-p", "\(port)"]
        let defaults = [
            "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off", "full_page_writes": "off",
            "synchronous_commit": "off", "max_connections": "1000", "shared_buffers": "32MB", "wal_level": "minimal",
            "max_wal_senders": "0", "max_prepared_transactions": "0", "log_min_messages": "warning",
        ]
        for (name, value) in defaults.merging(settings, uniquingKeysWith: { $1 }) { arguments += ["-c", "\(name)=\(value)"] }
        let started = try ChildProcess(Self.wrapper[0], Self.wrapper.dropFirst() + arguments)
        process.withLock { $0 = started }
        try started.waitForLine(containing: "ready to accept connections", deadline: .seconds(30))
    }

    /// Ends it as in a crash, with its connections told (pg_ctl stop -m immediate).
    package func stopImmediately() throws {
        let running = try current()
        running.signal(SIGQUIT)
        try running.waitForExit()
    }

    /// Ends the postmaster with SIGKILL; its children notice and go. The data directory is ready for ``start()`` when it returns.
    package func kill() throws {
        let running = try current()
        let children = self.children
        try running.kill()
        // A new postmaster refuses to start while old children live.
        for child in children {
            let end = ContinuousClock.now + .seconds(10)
            while Glibc.kill(child, 0) == 0, ContinuousClock.now < end { usleep(5_000) }
        }
    }

    /// Stops all its processes in their tracks (SIGSTOP): connections stay open, nothing answers.
    package func suspend() throws {
        let running = try current()
        running.signal(SIGSTOP)
        for child in children { Glibc.kill(child, SIGSTOP) }
    }

    /// Lets them go on.
    package func resume() throws {
        for child in children { Glibc.kill(child, SIGCONT) }
        try current().signal(SIGCONT)
    }

    /// Ends it and removes its directory. Not needed: the end of the test process does it too.
    package func remove() throws {
        let running = try current()
        if running.isRunning {
            try resume()
            try stopImmediately()
        }
        try FileManager.default.removeItem(atPath: directory)
        Watchdog.tell("d \(directory)")
    }

    /// Owns the databases that have the schema. No superuser.
    package static let owner = "tables_owner"
    /// Has no rights but those that the schema's migrations give it.
    package static let login = "server_login"

    /// The name of an empty database of its own for a test, which belongs to this login.
    package func freshDatabase(owner: String) throws -> String {
        let name = nextName()
        try makeLogins()
        try run("create database \(name) owner \(owner)", in: conninfo(database: "postgres"))
        return name
    }

    /// The name of a database of its own for a test, with the schema.
    /// - Parameter migrate: given the owner's connection string of an empty database, makes the schema there. Called once.
    package func copyOfSchema(_ migrate: (String) throws -> Void) throws -> String {
        let maintenance = conninfo(database: "postgres")
        let name = nextName()
        try template.withLock { template in
            if template == nil {
                let made = try freshDatabase(owner: Self.owner)
                try migrate(conninfo(database: made, user: Self.owner))
                try run("grant playground_app to \(Self.login)", in: maintenance)
                template = made
            }
            try run("create database \(name) owner \(Self.owner) template \(template ?? "")", in: maintenance)
        }
        return name
    }

    /// Makes ``owner`` and ``login``, where that was not done before.
    private func makeLogins() throws {
        try run(
            """
            do $$
            begin
                create role \(Self.owner) login createrole;
                create role \(Self.login) login;
            exception when duplicate_object then null;
            end
            $$
            """, in: conninfo(database: "postgres"))
    }

    private func nextName() -> String { "test_\(counter.add(1, ordering: .relaxed).newValue)" }

    /// An empty database of its own for a test; the connection string of its superuser.
    package func freshDatabase() throws -> String {
        let name = nextName()
        try run("create database \(name)", in: conninfo(database: "postgres"))
        return conninfo(database: name)
    }

    /// A connection string of this server.
    package func conninfo(database: String, user: String = "postgres") -> String {
        "postgresql://\(user)@127.0.0.1:\(port)/\(database)"
    }

    /// Runs SQL over a connection of its own; the rows of the last statement as texts.
    @discardableResult
    package func run(_ sql: String, in conninfo: String) throws -> [[String?]] {
        try connecting.withLock { _ in try rows(of: sql, in: conninfo) }
    }

    private func current() throws -> ChildProcess {
        guard let running = process.withLock({ $0 }) else { throw TestFailure("the server was never started") }
        return running
    }

    private var children: [pid_t] {
        guard let pid = process.withLock({ $0?.pid }),
            let list = try? String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8)
        else { return [] }
        return list.split(separator: " ").compactMap { pid_t($0) }
    }

    private static let isRoot = geteuid() == 0

    /// What the binaries are started through: for root, something that becomes postgres and then executes in place.
    private static let wrapper: [String] =
        isRoot ? ["/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"] : ["/usr/bin/env", "--"]

    private static func binaries() throws -> String {
        let root = "/usr/lib/postgresql"
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? [])
            .filter { FileManager.default.isExecutableFile(atPath: "\(root)/\($0)/bin/initdb") }
        guard let newest = versions.max(by: { (Int($0) ?? 0) < (Int($1) ?? 0) }) else {
            throw TestFailure("no PostgreSQL server under \(root)/*/bin: install it (Debian: apt-get install postgresql)")
        }
        return "\(root)/\(newest)/bin"
    }

    private static func makeDirectory() throws -> String {
        var template = Array("/tmp/playground-postgres.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw TestFailure("mkdtemp failed") }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if isRoot {
            guard let user = getpwnam("postgres") else { throw TestFailure("there is no user postgres to run the server as") }
            chown(path, user.pointee.pw_uid, user.pointee.pw_gid)
        }
        return path
    }
}

/// Runs SQL over a connection of its own; the rows of the last statement as texts.
private func rows(of sql: String, in conninfo: String) throws -> [[String?]] {
    let result = try BlockingConnection(PostgresConfiguration(conninfo)).run(sql)
    return try result.rows.map { row in
        try (0..<result.columns).map { try result.stringIfPresent(row, $0) }
    }
}

/// A TCP port of 127.0.0.1 that nobody listens on at this moment.
///
/// It is below the range from which the kernel takes the ports of outgoing connections: one from that range may be some
/// client's while a server that is to come back on it is down, and a client that tries it meanwhile can meet itself.
package func freePort() throws -> UInt16 {
    for _ in 0..<100 {
        let port = UInt16.random(in: 10_000..<32_000)
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result == 0 { return port }
    }
    throw TestFailure("no free port among a hundred")
}
