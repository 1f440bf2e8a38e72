import Glibc
import HTTPCore
import HTTPTypes
import StrictJSON

/// Everything but completions: the models, and what the simulator tells about itself.
struct ControlRoutes {
    let service: Service

    func answer(_ request: ReceivedRequest, into bytes: inout [UInt8]) {
        let head = AnswerHead(requestID: "req_\(service.randomHex(words: 2))")
        let (status, body) = content(request)
        head.append(
            to: &bytes, status: status, contentType: "application/json", length: body.count, closes: !request.head.keepAlive)
        bytes.append(contentsOf: body)
    }

    private func content(_ request: ReceivedRequest) -> (Int, [UInt8]) {
        switch (request.head.method, request.path) {
        case (.get, "/v1/models"):
            guard request.value(of: .authorization) == service.settings.authorization else {
                let error = request.value(of: .authorization) == nil ? APIError.missingKey : .wrongKey
                return (error.status, error.body)
            }
            return (200, models)
        case (.get, "/_requests"):
            return (200, requests(id: request.query("id"), since: request.query("since").flatMap(Int.init)))
        case (.get, "/_stats"): return (200, stats)
        case (.get, "/_aborts"): return (200, aborts)
        case (.get, "/_last"): return (200, last)
        case (.post, "/_reset"):
            service.journal.reset()
            return (200, Array("{}".utf8))
        default: return (404, APIError.notFound.body)
        }
    }

    private var models: [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("object", "list")
            writer.member("data") { writer in
                writer.array { writer in
                    for name in service.settings.models.names {
                        writer.object { writer in
                            writer.member("id", name)
                            writer.member("object", "model")
                            writer.member("created", 1_692_901_427)
                            writer.member("owned_by", "system")
                        }
                    }
                }
            }
        }
        return writer.bytes
    }

    private func requests(id: String?, since: Int?) -> [UInt8] {
        let records = service.journal.records { record in
            (id == nil || record.id == id || record.completionID == id) && record.number > since ?? 0
        }
        var writer = JSONWriter(capacity: records.count * 512 + 16)
        writer.array { writer in for record in records { record.write(to: &writer) } }
        return writer.bytes
    }

    private var stats: [UInt8] {
        let totals = service.journal.current
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("open", totals.open)
            writer.member("max_open", totals.maxOpen)
            writer.member("blocked", totals.blocked)
            writer.member("requests", totals.requests)
            writer.member("completed", totals.completed)
            writer.member("refused", totals.refused)
            writer.member("aborted", totals.aborted)
            writer.member("dropped", totals.dropped)
            writer.member("conns", totals.connections)
            writer.member("conns_opened", totals.connectionsOpened)
            writer.member("tokens", totals.tokens)
            writer.member("bytes", totals.bytes)
            writer.member("cpu_ms", cpuMilliseconds)
        }
        return writer.bytes
    }

    /// The requests that their clients left, by id, with the Unix nanosecond at which that was seen.
    private var aborts: [UInt8] {
        let records = service.journal.records { $0.ending.isClosedByClient }
        var writer = JSONWriter(capacity: records.count * 64 + 16)
        // The last one of an id counts: JSON objects here have no name twice.
        let latest = Dictionary(records.map { ($0.id, $0.ended) }) { _, later in later }
        writer.object { writer in for (id, ended) in latest { writer.member(named: id, ended) } }
        return writer.bytes
    }

    private var last: [UInt8] {
        guard let request = service.journal.last else { return Array("null".utf8) }
        let bytes = request.headBytes.span
        var headers: [(name: String, values: [String])] = []
        for line in request.head.fields.lines {
            let name = line.name.string(in: bytes).lowercased()
            let value = line.value.string(in: bytes)
            if let index = headers.firstIndex(where: { $0.name == name }) {
                headers[index].values.append(value)
            } else {
                headers.append((name, [value]))
            }
        }
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("method", request.head.method.rawValue)
            writer.member("target", request.head.target.whole.string(in: bytes))
            writer.member("headers") { writer in
                writer.object { writer in for header in headers { writer.member(named: header.name, header.values) } }
            }
            writer.member("body", String(decoding: request.body, as: UTF8.self))
        }
        return writer.bytes
    }

    private var cpuMilliseconds: Int {
        var usage = rusage()
        getrusage(RUSAGE_SELF.rawValue, &usage)
        let seconds = Int(usage.ru_utime.tv_sec) + Int(usage.ru_stime.tv_sec)
        return seconds * 1000 + (Int(usage.ru_utime.tv_usec) + Int(usage.ru_stime.tv_usec)) / 1000
    }
}
