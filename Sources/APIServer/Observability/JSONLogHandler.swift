import EventLoop
import Glibc
import Logging
import PlaygroundCore
import StrictJSON
import Synchronization

/// Writes one JSON object a line to standard error: `time`, `level`, `message`, `logger`, then the metadata's own keys.
struct JSONLogHandler: LogHandler {
    var metadata = Logger.Metadata()
    var logLevel: Logger.Level
    private let label: String
    private let sink: LogSink

    init(label: String, level: Logger.Level, sink: LogSink) {
        self.label = label
        self.sink = sink
        logLevel = level
    }

    subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        write(event.level, event.message.description) { writer in
            for (key, value) in metadata { writer.member(named: key) { Self.write(value, to: &$0) } }
            guard let extra = event.metadata else { return }
            for (key, value) in extra { writer.member(named: key) { Self.write(value, to: &$0) } }
        }
    }

    /// Writes a line whose further members `members` writes. Whether the level is logged is the caller's to ask.
    func write(_ level: Logger.Level, _ message: String, _ members: (inout JSONWriter) -> Void) {
        var writer = JSONWriter(capacity: 480)
        writer.object { writer in
            writer.member("time") { Timestamp(microseconds: SystemClock.microseconds()).write(to: &$0) }
            writer.member("level", level.rawValue)
            writer.member("logger", label)
            writer.member("message", message)
            members(&writer)
        }
        sink.append(writer.bytes, flush: level >= .warning)
    }

    private static func write(_ value: Logger.MetadataValue, to writer: inout JSONWriter) {
        switch value {
        case .string(let text): writer.string(text)
        case .stringConvertible(let number as Int): writer.value(number)
        case .stringConvertible(let number as Double): writer.value(number)
        case .stringConvertible(let truth as Bool): writer.value(truth)
        case .stringConvertible(let other): writer.string(other.description)
        case .array(let values): writer.array { writer in for value in values { write(value, to: &writer) } }
        case .dictionary(let values):
            writer.object { writer in for (key, value) in values { writer.member(named: key) { write(value, to: &$0) } } }
        }
    }
}

/// Gathers lines and writes them together: a system call for each would cost more than many a request.
final class LogSink: Sendable {
    private static let capacity = 64 * 1024
    private let descriptor: Int32
    private let pending = Mutex<[UInt8]>([])

    init(descriptor: Int32) { self.descriptor = descriptor }

    /// - Parameter flush: writes at once, with all that waits.
    func append(_ line: [UInt8], flush: Bool) {
        pending.withLock { pending in
            pending.append(contentsOf: line)
            pending.append(UInt8(ascii: "\n"))
            if flush || pending.count >= Self.capacity { Self.write(&pending, to: descriptor) }
        }
    }

    /// Called a few times a second, and before the process ends.
    func flush() {
        pending.withLock { if !$0.isEmpty { Self.write(&$0, to: descriptor) } }
    }

    /// What a broken or full pipe does not take is dropped: a log must not stop the server.
    private static func write(_ bytes: inout [UInt8], to descriptor: Int32) {
        var offset = 0
        while offset < bytes.count {
            let written = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress?.advanced(by: offset), $0.count - offset)
            }
            if written <= 0, errno != EINTR { break }
            offset += max(0, written)
        }
        bytes.removeAll(keepingCapacity: true)
    }
}
