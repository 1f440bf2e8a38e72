import StrictJSON

/// What one run came to.
struct Figures: Sendable {
    var label = ""
    let seconds: Double
    let sent: Int
    let done: Int
    let failed: Int
    let failures: [String: Int]
    let events: Int
    let maxOpen: Int
    let cutReads: Int
    let firstToken: [Double?]
    let latency: [Double?]
    let whole: [Double?]
    let drops: [String: Int64]
    var cpuSeconds: Double?
    var loadSeconds: Double?
    var residentBeforeKiB: Int?
    var residentMostKiB: Int?
    var residentAtFullKiB: Int?
    var openAtFull: Int?
    /// Milliseconds from a client's leaving to the upstream's noticing: p50, p99, the longest.
    var dropDelays: [Double?]?
    var dropsMissed: Int?

    init(tally: Tally, seconds: Double) {
        func quantiles(_ histogram: Histogram) -> [Double?] { [0.5, 0.99, 1].map(histogram.quantile) }
        self.seconds = seconds
        sent = tally.sent
        done = tally.done
        failed = tally.failed
        failures = tally.failures
        events = tally.events
        maxOpen = tally.maxOpen
        cutReads = tally.cutReads
        firstToken = quantiles(tally.firstToken)
        latency = quantiles(tally.latency)
        whole = quantiles(tally.whole)
        drops = tally.drops
    }

    /// The figures by name, in the order in which they are shown. Milliseconds, but for `us_`, `_s` and `kib_`.
    private var all: [(name: String, value: Double?)] {
        var list: [(String, Double?)] = [
            ("streams", Double(done)), ("failed", Double(failed)), ("sent", Double(sent)), ("secs", seconds),
            ("events", Double(events)), ("ev_s", Double(events) / seconds), ("req_s", Double(done) / seconds),
        ]
        if let cpuSeconds {
            list.append(("cpu_s", cpuSeconds))
            list.append(("us_ev", events > 0 ? cpuSeconds * 1e6 / Double(events) : nil))
            list.append(("us_req", done > 0 ? cpuSeconds * 1e6 / Double(done) : nil))
        }
        list += [
            ("ttft_p50", firstToken[0]), ("ttft_p99", firstToken[1]), ("ttft_max", firstToken[2]),
            ("lat_p50", latency[0]), ("lat_p99", latency[1]), ("lat_max", latency[2]), ("total_p50", whole[0]),
            ("cut_reads", Double(cutReads)), ("max_open", Double(maxOpen)),
        ]
        if let before = residentBeforeKiB, let most = residentMostKiB, let full = residentAtFullKiB, let open = openAtFull {
            list.append(("rss_before_kib", Double(before)))
            list.append(("rss_most_kib", Double(most)))
            list.append(("open_at_full", Double(open)))
            list.append(("kib_stream", open > 0 ? Double(full - before) / Double(open) : nil))
        }
        if let dropDelays, let dropsMissed {
            list.append(("drop_seen", Double(drops.count - dropsMissed)))
            list.append(("drop_missed", Double(dropsMissed)))
            list += [("drop_p50", dropDelays[0]), ("drop_p99", dropDelays[1]), ("drop_max", dropDelays[2])]
        }
        list.append(("load_cpu_s", loadSeconds))
        return list
    }

    var line: String {
        let figures = all.compactMap { figure in figure.value.map { "\(figure.name)=\(Self.short($0))" } }
        let reasons = failures.sorted { $0.key < $1.key }.map { "\n  failed: \($0.key) ×\($0.value)" }
        return ([label] + figures).joined(separator: " ") + reasons.joined()
    }

    var json: String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("label", label)
            for figure in all { writer.member(named: figure.name, figure.value) }
            writer.member("failures") { writer in
                writer.object { writer in
                    for (reason, count) in failures.sorted(by: { $0.key < $1.key }) { writer.member(named: reason, count) }
                }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// Three digits that say something, or all of a whole number.
    private static func short(_ value: Double) -> String {
        if value == value.rounded(), abs(value) < 1e15 { return String(Int(value)) }
        let magnitude = abs(value)
        let scale: Double = magnitude >= 100 ? 10 : magnitude >= 10 ? 100 : 1000
        return ((value * scale).rounded() / scale).jsonText
    }
}
