import EventLoop
import Glibc

/// One event of a `text/event-stream`.
package struct ServerSentEvent {
    /// The value of its data lines, joined by line feeds. The bytes are good until the parser is asked again.
    package let data: UnsafeBufferPointer<UInt8>
    /// Whether an event line named its type, which ``ServerSentEventParser/eventType`` then tells; otherwise it is a
    /// `message`.
    package let isTyped: Bool
}

/// Why a stream of events cannot be read on.
package enum ServerSentEventError: Error, Equatable {
    /// An event, or a single line, of more than ``ServerSentEventParser/eventLimit`` bytes.
    case eventTooLarge
}

/// Splits a body into server-sent events (WHATWG HTML, section 9.2.6), wherever the reads cut it.
///
/// An event that lies whole in the bytes at hand is given as it lies there; only one that is cut is kept. Bytes are not
/// decoded: what is no UTF-8 is left for whoever reads the data. Beyond the standard, a field named `error` is the data of an event of
/// that type.
///
/// ```
/// var offset = 0
/// while let event = try parser.next(in: bytes, from: &offset) { … }
/// ```
package struct ServerSentEventParser: ~Copyable {
    /// The largest event, in bytes of its data, and the longest line.
    package static let eventLimit = 1 << 20

    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// The last id that a line set; it stays until another one does.
    package private(set) var lastEventID: [UInt8] = []
    /// The last reconnection time that a line set, in milliseconds.
    package private(set) var retry: Int?
    /// What there is of an event that is not complete, or that was given last and is still being read.
    // Behind a pointer: its bytes stay where they are while they are read, and no access is checked for exclusivity.
    private var cut: UnsafeMutablePointer<CutEvent>?
    /// How many bytes of a byte order mark have been taken; 3 once it can no longer come.
    private var markLength = 0
    /// A carriage return ended the last read's last line: a line feed that comes first now belongs to it.
    private var skipsLineFeed = false
    /// A line ended with a carriage return alone, so looking for line feeds would walk over many lines each time.
    private var seesBareReturns = false

    package init() {}

    deinit {
        cut?.deinitialize(count: 1)
        cut?.deallocate()
    }

    /// The type that the event given last was named with; empty where it was not.
    package var eventType: [UInt8] { cut?.pointee.type ?? [] }

    /// Whether an event begins with the next byte: whoever knows the event that lies there whole may take it without asking.
    package var isBetweenEvents: Bool { cut == nil && !skipsLineFeed && markLength == Self.byteOrderMark.count }

    /// The next event that is complete, looking at `bytes` from `offset` on; nil once all of them are taken.
    /// - Parameter offset: moved past what was taken. A new read starts at 0 with bytes that follow the last read's.
    package mutating func next(
        in bytes: UnsafeBufferPointer<UInt8>, from offset: inout Int
    ) throws(ServerSentEventError) -> ServerSentEvent? {
        if let cut, cut.pointee.isGiven { dropEvent() }
        if markLength < Self.byteOrderMark.count { try takeByteOrderMark(bytes, &offset) }
        if skipsLineFeed, offset < bytes.count {
            skipsLineFeed = false
            if bytes[offset] == UInt8(ascii: "\n") { offset += 1 }
        }
        if cut == nil, !seesBareReturns, let data = Self.wholeEvent(in: bytes, from: &offset) {
            return ServerSentEvent(data: data, isTyped: false)
        }
        while offset < bytes.count {
            guard try takeLine(bytes, &offset) else { break }
            if let cut, cut.pointee.isGiven {
                return ServerSentEvent(data: cut.pointee.data.bytes, isTyped: !cut.pointee.type.isEmpty)
            }
        }
        return nil
    }

    /// The data of an event that is one data line and its blank line, ended alike by LF or CRLF; nil for all else.
    @inline(__always)
    private static func wholeEvent(
        in bytes: UnsafeBufferPointer<UInt8>, from offset: inout Int
    ) -> UnsafeBufferPointer<UInt8>? {
        let end = bytes.count
        guard let base = bytes.baseAddress, end - offset > 6, memcmp(base + offset, "data:", 5) == 0 else { return nil }
        var start = offset + 5
        if base[start] == UInt8(ascii: " ") { start += 1 }
        guard let found = memchr(base + start, 0x0A, end - start) else { return nil }
        let lineFeed = UnsafeRawPointer(found) - UnsafeRawPointer(base)
        guard lineFeed + 1 < end else { return nil }
        var lineEnd = lineFeed
        var after = lineFeed + 2
        if base[lineFeed + 1] != 0x0A {
            guard base[lineFeed + 1] == 0x0D, base[lineFeed - 1] == 0x0D, after < end, base[after] == 0x0A else { return nil }
            lineEnd -= 1
            after += 1
        }
        guard lineEnd - offset <= eventLimit, memchr(base + start, 0x0D, lineEnd - start) == nil else { return nil }
        offset = after
        return UnsafeBufferPointer(start: base + start, count: lineEnd - start)
    }

    /// Takes a line, or what there is of it.
    /// - Returns: whether the line has ended.
    private mutating func takeLine(
        _ bytes: UnsafeBufferPointer<UInt8>, _ offset: inout Int
    ) throws(ServerSentEventError) -> Bool {
        let start = offset
        let end = lineEnd(in: bytes, from: start)
        let part = UnsafeBufferPointer(rebasing: bytes[start..<end])
        guard end < bytes.count else {
            offset = end
            let cut = beginEvent()
            cut.pointee.line.append(part)
            guard cut.pointee.line.count <= Self.eventLimit else { throw .eventTooLarge }
            return false
        }
        offset = end + 1
        if bytes[end] == 0x0D {
            if offset == bytes.count {
                skipsLineFeed = true
            } else if bytes[offset] == 0x0A {
                offset += 1
            } else {
                seesBareReturns = true
            }
        }
        if let cut, !cut.pointee.line.isEmpty {
            cut.pointee.line.append(part)
            // Never empty, so it cannot be the line that drops the event.
            try process(cut.pointee.line.bytes)
            cut.pointee.line.removeAll()
        } else {
            try process(part)
        }
        return true
    }

    private mutating func process(_ line: UnsafeBufferPointer<UInt8>) throws(ServerSentEventError) {
        guard line.count <= Self.eventLimit else { throw .eventTooLarge }
        guard !line.isEmpty else {
            // A block without data is no event; its type is forgotten with it.
            if let cut, cut.pointee.hasData { cut.pointee.isGiven = true } else { dropEvent() }
            return
        }
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.count
        var valueStart = min(colon + 1, line.count)
        if valueStart < line.count, line[valueStart] == UInt8(ascii: " ") { valueStart += 1 }
        let value = UnsafeBufferPointer(rebasing: line[valueStart...])
        let name = line[..<colon]
        if name.elementsEqual("data".utf8) {
            try add(data: value)
        } else if name.elementsEqual("event".utf8) {
            beginEvent().pointee.type = Array(value)
        } else if name.elementsEqual("error".utf8) {
            // As llama.cpp wrote its errors until 2025, with `[DONE]` behind.
            beginEvent().pointee.type = Array("error".utf8)
            try add(data: value)
        } else if name.elementsEqual("id".utf8) {
            if !value.contains(0) { lastEventID = Array(value) }
        } else if name.elementsEqual("retry".utf8) {
            let isDigits = !value.isEmpty && value.allSatisfy { $0 &- UInt8(ascii: "0") < 10 }
            if isDigits, let time = Int(String(decoding: value, as: UTF8.self)) { retry = time }
        }
    }

    private mutating func add(data value: UnsafeBufferPointer<UInt8>) throws(ServerSentEventError) {
        let cut = beginEvent()
        if cut.pointee.hasData { cut.pointee.data.append(0x0A) }
        cut.pointee.data.append(value)
        cut.pointee.hasData = true
        guard cut.pointee.data.count <= Self.eventLimit else { throw .eventTooLarge }
    }

    private mutating func beginEvent() -> UnsafeMutablePointer<CutEvent> {
        if let cut { return cut }
        let new = UnsafeMutablePointer<CutEvent>.allocate(capacity: 1)
        new.initialize(to: CutEvent())
        cut = new
        return new
    }

    private mutating func dropEvent() {
        guard let cut else { return }
        self.cut = nil
        cut.deinitialize(count: 1)
        cut.deallocate()
    }

    /// Where the first line from `start` on ends; the end of the bytes where it does not.
    private func lineEnd(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        guard let base = bytes.baseAddress else { return start }
        var end = start
        if seesBareReturns {
            while end < bytes.count, base[end] != 0x0A, base[end] != 0x0D { end += 1 }
            return end
        }
        end = Self.first(0x0A, base, start, bytes.count)
        return Self.first(0x0D, base, start, end)
    }

    private static func first(_ byte: Int32, _ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int {
        guard let found = memchr(base + start, byte, end - start) else { return end }
        return UnsafeRawPointer(found) - UnsafeRawPointer(base)
    }

    /// Takes one byte order mark at the very start. Bytes that began like one and are none belong to the first line.
    private mutating func takeByteOrderMark(
        _ bytes: UnsafeBufferPointer<UInt8>, _ offset: inout Int
    ) throws(ServerSentEventError) {
        while markLength < Self.byteOrderMark.count, offset < bytes.count {
            guard bytes[offset] == Self.byteOrderMark[markLength] else {
                if markLength > 0 { beginEvent().pointee.line.append(Array(Self.byteOrderMark[..<markLength])) }
                markLength = Self.byteOrderMark.count
                return
            }
            offset += 1
            markLength += 1
        }
    }
}
