import CLibpq

/// Owns one PGconn. All calls on a PGconn are in this file; the object that holds the handle decides when to make them.
///
/// libpq resolves host names with getaddrinfo when it starts to connect, which blocks the calling thread for as long as the
/// resolver takes. Name an address (`hostaddr`), or a name that a local resolver answers, where that matters.
struct ConnectionHandle: ~Copyable {
    private let connection: OpaquePointer

    /// Starts to connect without waiting.
    init(starting parameters: [PostgresConfiguration.Parameter]) throws(PostgresError) {
        let strings = CStringPairs(parameters)
        guard let connection = PQconnectStartParams(strings.keywords, strings.values, 0) else {
            throw .unavailable("libpq is out of memory")
        }
        self.connection = connection
    }

    /// Connects, and waits for as long as `connect_timeout` says.
    init(connecting parameters: [PostgresConfiguration.Parameter]) throws(PostgresError) {
        let strings = CStringPairs(parameters)
        guard let connection = PQconnectdbParams(strings.keywords, strings.values, 0) else {
            throw .unavailable("libpq is out of memory")
        }
        self.connection = connection
    }

    deinit {
        PQfinish(connection)
    }

    /// How far connecting has got.
    enum Progress {
        case waitReadable, waitWritable, connected, failed
    }

    /// One step of connecting; the socket may be another one afterwards.
    func poll() -> Progress {
        switch PQconnectPoll(connection) {
        case PGRES_POLLING_READING: .waitReadable
        case PGRES_POLLING_WRITING: .waitWritable
        case PGRES_POLLING_OK: .connected
        default: .failed
        }
    }

    var isBad: Bool { PQstatus(connection) == CONNECTION_BAD }
    var socket: Int32 { PQsocket(connection) }
    /// In a transaction that was begun explicitly and has not failed.
    var isInTransaction: Bool { PQtransactionStatus(connection) == PQTRANS_INTRANS }
    /// libpq's latest complaint about this connection, on one line.
    var message: String { ResultHandle.oneLine(PQerrorMessage(connection)) }

    /// Notices go to `receiver` with `context`; libpq's own habit is to print them.
    func receiveNotices(_ receiver: PQnoticeReceiver, _ context: UnsafeMutableRawPointer?) {
        _ = PQsetNoticeReceiver(connection, receiver, context)
    }

    /// From here on no call waits, and statements are sent without waiting for the answers to those before them.
    func enterPipelineMode() -> Bool {
        PQsetnonblocking(connection, 1) == 0 && PQenterPipelineMode(connection) == 1
    }

    func sendPrepare(name: String, sql: String) -> Bool {
        PQsendPrepare(connection, name, sql, 0, nil) == 1
    }

    func sendPrepared(name: String, _ values: ParameterBuffer, _ form: PostgresStatement.Form) -> Bool {
        values.withPointers { count, values, lengths, formats in
            PQsendQueryPrepared(connection, name, count, values, lengths, formats, form.rawValue) == 1
        }
    }

    /// Ends a sync group, which commits it; also sends what the socket takes.
    func sync() -> Bool { PQpipelineSync(connection) == 1 }

    /// What became of the bytes to send.
    enum Flushed {
        case all, some, failed
    }

    func flush() -> Flushed {
        switch PQflush(connection) {
        case 0: .all
        case 1: .some
        default: .failed
        }
    }

    /// Reads what has arrived, once; false: the connection is lost.
    func consumeInput() -> Bool { PQconsumeInput(connection) == 1 }
    /// Bytes may wait inside the TLS library, where no readiness tells of them.
    var usesTLS: Bool { PQsslInUse(connection) == 1 }
    /// Asking for a result would wait.
    var isBusy: Bool { PQisBusy(connection) == 1 }
    /// The next result in order, nil at the end of each statement's results.
    func nextResult() -> ResultHandle? { PQgetResult(connection).map(ResultHandle.init) }

    /// The next notification that has arrived.
    func nextNotification() -> (channel: String, payload: String)? {
        guard let notification = PQnotifies(connection) else { return nil }
        defer { PQfreemem(notification) }
        return (String(cString: notification.pointee.relname), String(cString: notification.pointee.extra))
    }

    /// Runs a text of any number of statements and waits.
    func execute(_ sql: String) -> ResultHandle? { PQexec(connection, sql).map(ResultHandle.init) }

    /// Runs one statement with values and waits.
    func execute(_ sql: String, _ values: ParameterBuffer) -> ResultHandle? {
        values.withPointers { count, values, lengths, formats in
            PQexecParams(connection, sql, count, nil, values, lengths, formats, 0).map(ResultHandle.init)
        }
    }
}

/// Keywords and values as the two NULL-terminated arrays of C strings that libpq takes.
private struct CStringPairs: ~Copyable {
    private let strings: UnsafeMutablePointer<UnsafePointer<CChar>?>
    private let count: Int

    init(_ parameters: [PostgresConfiguration.Parameter]) {
        count = parameters.count
        strings = .allocate(capacity: 2 * (count + 1))
        strings.initialize(repeating: nil, count: 2 * (count + 1))
        for (index, parameter) in parameters.enumerated() {
            strings[index] = Self.copy(parameter.keyword)
            strings[count + 1 + index] = Self.copy(parameter.value)
        }
    }

    deinit {
        for index in 0..<(2 * (count + 1)) { strings[index]?.deallocate() }
        strings.deallocate()
    }

    var keywords: UnsafePointer<UnsafePointer<CChar>?> { UnsafePointer(strings) }
    var values: UnsafePointer<UnsafePointer<CChar>?> { UnsafePointer(strings + count + 1) }

    private static func copy(_ text: String) -> UnsafePointer<CChar>? {
        let bytes = text.utf8CString
        let copy = UnsafeMutableBufferPointer<CChar>.allocate(capacity: bytes.count)
        _ = copy.initialize(from: bytes)
        return UnsafePointer(copy.baseAddress)
    }
}
