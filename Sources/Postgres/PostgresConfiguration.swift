import CLibpq
import EventLoop

/// Where the database is and how long we wait for it. Everything that the connection string says itself wins.
package struct PostgresConfiguration: Sendable {
    /// One libpq connection parameter.
    struct Parameter: Sendable, Equatable {
        let keyword: String
        let value: String
    }

    /// The connections of one loop and what may queue for them.
    package struct Lanes: Sendable {
        /// Pipelined connections for short statements.
        package var hotConnections = 1
        /// Calls in flight on each of them: enough to keep the server busy, few enough that a call whose time runs out in
        /// our queue costs the server nothing.
        package var hotDepth = 32
        /// Calls that wait for the hot lane; one more is refused.
        package var hotWaiting = 2048
        /// Connections for whatever takes long, one call at a time on each.
        package var slowConnections = 1
        /// How long each of them stays open without a call; they are opened when there is one.
        package var slowIdle = Duration.seconds(30)
        /// Calls that wait for the slow lane; one more is refused.
        package var slowWaiting = 128

        package init() {}
    }

    /// How long one attempt to connect to one host may take, host name resolution aside.
    package var connectTimeout: Duration = .seconds(3)
    /// The server cancels a statement that runs longer.
    package var statementTimeout: Duration = .seconds(5)
    /// The server ends a session that holds a transaction open for longer without saying anything.
    package var idleInTransactionTimeout: Duration = .seconds(10)
    /// A connection is replaced after this time, give or take a fifth, so that a server that was added is found.
    package var lifetime: Duration = .seconds(1800)
    /// How many connections a loop opens, and how many calls may wait for them.
    package var lanes = Lanes()
    /// What the server's views and log call us.
    package var applicationName: String
    /// The role that every connection assumes before its first statement, as SET ROLE does; nil for the login itself. A plain name: ASCII
    /// letters, digits and underscores. A login that may not assume it gets no connection.
    package var role: String?

    private let given: [Parameter]

    /// Reads a libpq connection string: a URI, or keywords and values; several hosts are allowed.
    ///
    /// Throws without repeating any part of the string: libpq's own complaint can quote the password.
    package init(_ conninfo: String, applicationName: String = "playground-api") throws(PostgresError) {
        guard !Self.hasStrayAtSign(conninfo) else {
            throw .unavailable("the connection string has an @ too many: in a password it is written %40")
        }
        guard let options = PQconninfoParse(conninfo, nil) else {
            throw .unavailable("the connection string is neither a URI nor keywords and values as libpq reads them")
        }
        defer { PQconninfoFree(options) }
        var given: [Parameter] = []
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val {
                given.append(Parameter(keyword: String(cString: keyword), value: String(cString: value)))
            }
            option += 1
        }
        self.given = given
        self.applicationName = applicationName
        // libpq looks at the port only when it connects; by then a mistyped one looks like an outage.
        let ports = value("port")?.split(separator: ",", omittingEmptySubsequences: false) ?? []
        guard ports.allSatisfy({ $0.isEmpty || UInt16($0) ?? 0 > 0 }) else {
            throw .unavailable("the connection string has a port that is no number from 1 to 65535")
        }
    }

    /// Whether an `@` stands in a URI where none ends the password. libpq would take what is behind the first one for the host, or for the
    /// database, and tell everybody its name.
    private static func hasStrayAtSign(_ conninfo: String) -> Bool {
        guard let scheme = ["postgresql://", "postgres://"].first(where: { conninfo.hasPrefix($0) }) else { return false }
        let parts = conninfo.dropFirst(scheme.count).prefix { $0 != "?" }.split(separator: "@", omittingEmptySubsequences: false)
        return parts.count > 2 || (parts.count == 2 && parts[0].contains("/"))
    }

    /// The number of hosts to try in turn.
    var hostCount: Int {
        max(
            1, value("host")?.split(separator: ",", omittingEmptySubsequences: false).count ?? 1,
            value("hostaddr")?.split(separator: ",", omittingEmptySubsequences: false).count ?? 1)
    }

    /// All parameters, with every host: libpq tries them in turn, each for `connect_timeout` when it connects blocking.
    var parameters: [Parameter] {
        var all = given
        for parameter in defaults where value(parameter.keyword) == nil { all.append(parameter) }
        all.removeAll { $0.keyword == "options" }
        // The server takes the last of two equal settings: ours come first, so that the connection string's win.
        all.append(Parameter(keyword: "options", value: settings + (value("options").map { " " + $0 } ?? "")))
        return all
    }

    /// The parameters for one of the hosts. With PQconnectPoll libpq keeps no time, so a silent first host would hide the second.
    func parameters(host index: Int) -> [Parameter] {
        let hosts = hostCount
        guard hosts > 1 else { return parameters }
        return parameters.compactMap { parameter in
            guard ["host", "hostaddr", "port"].contains(parameter.keyword) else { return parameter }
            let parts = parameter.value.split(separator: ",", omittingEmptySubsequences: false)
            // libpq: a single port is meant for every host.
            let part = parts.count == 1 ? parts[0] : parts[min(index % hosts, parts.count - 1)]
            return part.isEmpty ? nil : Parameter(keyword: parameter.keyword, value: String(part))
        }
    }

    /// libpq's words may name host, database and user; should they ever hold the password, it is taken out.
    func redact(_ text: String) -> String {
        guard let password = value("password"), !password.isEmpty else { return text }
        return text.replacing(password, with: "...")
    }

    private func value(_ keyword: String) -> String? {
        given.first { $0.keyword == keyword }?.value
    }

    private var defaults: [Parameter] {
        // Of several hosts one takes writes; the others would refuse them, statement by statement.
        (hostCount > 1 ? [Parameter(keyword: "target_session_attrs", value: "read-write")] : []) + [
            Parameter(keyword: "fallback_application_name", value: applicationName),
            Parameter(keyword: "client_encoding", value: "UTF8"),
            Parameter(keyword: "connect_timeout", value: "\(max(2, connectTimeout.components.seconds))"),
            // A peer that is silent is given up after 5 s with bytes unacknowledged, or 10 + 3 * 5 s idle.
            Parameter(keyword: "tcp_user_timeout", value: "5000"),
            Parameter(keyword: "keepalives", value: "1"),
            Parameter(keyword: "keepalives_idle", value: "10"),
            Parameter(keyword: "keepalives_interval", value: "5"),
            Parameter(keyword: "keepalives_count", value: "3"),
            // Looking for Kerberos tickets blocks.
            Parameter(keyword: "gssencmode", value: "disable"),
        ]
    }

    /// Every statement here looks rows up by key, so its plan does not depend on its values. Left to itself PostgreSQL plans the
    /// longest ones anew each time, which takes it twice as long as running them.
    private var settings: String {
        "-c statement_timeout=\(statementTimeout.wholeMilliseconds)"
            + " -c idle_in_transaction_session_timeout=\(idleInTransactionTimeout.wholeMilliseconds)"
            // Nothing here runs so long that compiling it pays.
            + " -c plan_cache_mode=force_generic_plan -c jit=off"
            + (role.map { " -c role=\($0)" } ?? "")
    }
}

extension PostgresConfiguration: CustomStringConvertible, CustomReflectable {
    /// Host, port and database; never user names or secrets.
    package var description: String {
        let host = value("host") ?? value("hostaddr") ?? "default host"
        return "\(host):\(value("port") ?? "5432")/\(value("dbname") ?? "default database")"
    }

    /// Nothing for `dump` to show.
    package var customMirror: Mirror { Mirror(self, children: []) }
}
