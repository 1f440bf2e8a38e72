import Metrics
import Synchronization

/// A back end of swift-metrics that holds the numbers and renders them as Prometheus text (exposition format 0.0.4).
///
/// Every series is made once, with a closed set of labels, so what a client sends can never mint one.
final class PrometheusMetrics: MetricsFactory {
    private struct State {
        var counters: [Series: PrometheusCounter] = [:]
        var gauges: [Series: PrometheusGauge] = [:]
        var histograms: [Series: PrometheusHistogram] = [:]
        var help: [String: String] = [:]
    }

    private let state = Mutex(State())

    /// Says what a metric means; shown in its HELP line.
    func describe(_ name: String, _ text: String) { state.withLock { $0.help[name] = text } }

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        state.withLock { state in
            let series = Series(name: label, labels: dimensions)
            if let known = state.counters[series] { return known }
            let made = PrometheusCounter()
            state.counters[series] = made
            return made
        }
    }

    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        aggregate ? histogram(label, dimensions) : gauge(label, dimensions)
    }

    func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler { gauge(label, dimensions) }

    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler { histogram(label, dimensions) }

    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}

    private func gauge(_ label: String, _ dimensions: [(String, String)]) -> PrometheusGauge {
        state.withLock { state in
            let series = Series(name: label, labels: dimensions)
            if let known = state.gauges[series] { return known }
            let made = PrometheusGauge()
            state.gauges[series] = made
            return made
        }
    }

    private func histogram(_ label: String, _ dimensions: [(String, String)]) -> PrometheusHistogram {
        state.withLock { state in
            let series = Series(name: label, labels: dimensions)
            if let known = state.histograms[series] { return known }
            let made = PrometheusHistogram()
            state.histograms[series] = made
            return made
        }
    }

    /// The whole exposition, families in the order of their names.
    func render() -> String {
        let (counters, gauges, histograms, help) = state.withLock { ($0.counters, $0.gauges, $0.histograms, $0.help) }
        var families: [String: [String]] = [:]
        var kinds: [String: String] = [:]
        for (series, counter) in counters {
            kinds[series.name] = "counter"
            families[series.name, default: []].append("\(series.text()) \(counter.value)")
        }
        for (series, gauge) in gauges {
            kinds[series.name] = "gauge"
            families[series.name, default: []].append("\(series.text()) \(gauge.value)")
        }
        for (series, histogram) in histograms {
            kinds[series.name] = "histogram"
            families[series.name, default: []].append(histogram.text(series))
        }
        var text = ""
        for name in families.keys.sorted() {
            if let line = help[name] { text += "# HELP \(name) \(line)\n" }
            text += "# TYPE \(name) \(kinds[name] ?? "untyped")\n"
            for line in (families[name] ?? []).sorted() { text += line + "\n" }
        }
        return text
    }
}

/// A metric's name with its labels.
struct Series: Hashable {
    let name: String
    let labels: [String]

    init(name: String, labels: [(String, String)]) {
        self.name = name
        self.labels = labels.map { "\($0.0)=\"\($0.1)\"" }
    }

    func text(suffix: String = "", extra: String? = nil) -> String {
        let all = labels + (extra.map { [$0] } ?? [])
        return name + suffix + (all.isEmpty ? "" : "{" + all.joined(separator: ",") + "}")
    }
}

final class PrometheusCounter: CounterHandler {
    private let total = Atomic<Int64>(0)
    var value: Int64 { total.load(ordering: .relaxed) }
    func increment(by amount: Int64) { total.wrappingAdd(amount, ordering: .relaxed) }
    func reset() { total.store(0, ordering: .relaxed) }
}

final class PrometheusGauge: RecorderHandler, MeterHandler {
    private let bits = Atomic<UInt64>(0)
    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }
    func increment(by amount: Double) { change(amount) }
    func decrement(by amount: Double) { change(-amount) }

    private func change(_ amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, seen) = bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = seen
        }
    }
}

/// Durations in seconds. Buckets span a quick answer to a long stream.
final class PrometheusHistogram: RecorderHandler, TimerHandler {
    private static let bounds: [Double] = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
    ]
    private struct State {
        var counts = [Int64](repeating: 0, count: PrometheusHistogram.bounds.count)
        var count: Int64 = 0
        var sum = 0.0
    }
    private let state = Mutex(State())

    func record(_ value: Int64) { record(Double(value)) }
    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
    func record(_ value: Double) {
        state.withLock { state in
            state.count += 1
            state.sum += value
            if let index = Self.bounds.firstIndex(where: { value <= $0 }) { state.counts[index] += 1 }
        }
    }

    func text(_ series: Series) -> String {
        let (counts, count, sum) = state.withLock { ($0.counts, $0.count, $0.sum) }
        var lines: [String] = []
        var cumulative: Int64 = 0
        for (bound, value) in zip(Self.bounds, counts) {
            cumulative += value
            lines.append("\(series.text(suffix: "_bucket", extra: "le=\"\(bound)\"")) \(cumulative)")
        }
        lines.append("\(series.text(suffix: "_bucket", extra: "le=\"+Inf\"")) \(count)")
        lines.append("\(series.text(suffix: "_sum")) \(sum)")
        lines.append("\(series.text(suffix: "_count")) \(count)")
        return lines.joined(separator: "\n")
    }
}
