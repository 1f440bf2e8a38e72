import Foundation
import TestSupport

/// The grammar of Prometheus' text format 0.0.4, line by line.
enum Exposition {
    /// Prometheus' own checker, where this machine has it.
    static var promtool: String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return path.split(separator: ":").map { "\($0)/promtool" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    static func check(_ text: String) throws {
        guard text.hasSuffix("\n") else { throw TestFailure("the last line does not end") }
        var types: [String: String] = [:]
        var finished: Set<String> = []
        var current = ""
        var series: Set<String> = []
        for line in text.dropLast().split(separator: "\n", omittingEmptySubsequences: false) {
            if let help = line.wholeMatch(of: /# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) .+/) {
                try begin(String(help.1))
            } else if let type = line.wholeMatch(
                of: /# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)/)
            {
                try begin(String(type.1))
                guard types.updateValue(String(type.2), forKey: current) == nil else { throw TestFailure("typed twice: \(line)") }
            } else if let sample = line.wholeMatch(
                of:
                    #/
                    ([a-zA-Z_:][a-zA-Z0-9_:]*)
                    (\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\\n]|\\["\\n])*",?)*\})?
                    \ (NaN|[+-]?Inf|-?[0-9.]+([eE][+-]?[0-9]+)?)
                    /#)
            {
                guard series.insert("\(sample.1)\(sample.2 ?? "")").inserted else { throw TestFailure("twice: \(line)") }
                let suffixes = types[current] == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
                guard suffixes.contains(where: { current + $0 == sample.1 }) else {
                    throw TestFailure("outside its family: \(line)")
                }
                if types[current] == "counter", !current.hasSuffix("_total") {
                    throw TestFailure("a counter without _total: \(line)")
                }
            } else {
                throw TestFailure("not a line of the format: \(line)")
            }
        }
        for name in types.keys where !series.contains(where: { $0.hasPrefix(name) }) { throw TestFailure("no sample of \(name)") }

        func begin(_ name: String) throws {
            if name == current { return }
            guard finished.insert(name).inserted else { throw TestFailure("the family \(name) is in two places") }
            current = name
        }
    }
}
