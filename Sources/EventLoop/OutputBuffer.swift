import Glibc

/// A growable byte buffer owned by one loop and reused for every connection, with headroom in front so that a chunk's
/// size line can be put before bytes that are already there.
// Public, as are the members that every event calls: the compiler carries no body of a package function into another module.
public struct OutputBuffer: ~Copyable {
    @usableFromInline static let headroom = 32
    @usableFromInline var base: UnsafeMutablePointer<UInt8>
    @usableFromInline var capacity: Int
    @usableFromInline let usualCapacity: Int
    @usableFromInline var start: Int
    @usableFromInline var end: Int

    /// Room for `capacity` bytes; it grows when more are appended.
    package init(capacity: Int) {
        usualCapacity = capacity + Self.headroom
        self.capacity = usualCapacity
        base = .allocate(capacity: capacity + Self.headroom)
        start = Self.headroom
        end = Self.headroom
    }

    deinit { base.deallocate() }

    @inlinable public var count: Int { end - start }
    @inlinable public var isEmpty: Bool { end == start }
    /// Bytes allocated.
    var room: Int { capacity }

    /// The bytes; good until the buffer is changed.
    @inlinable public var bytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: base + start, count: end - start) }

    /// Empties it. Room for one unusually large answer is given back, or the loop would keep it for ever.
    @inlinable
    @inline(__always)
    public mutating func removeAll() {
        if capacity > 4 * usualCapacity { shrink() }
        start = Self.headroom
        end = Self.headroom
    }

    @usableFromInline
    mutating func shrink() {
        base.deallocate()
        base = .allocate(capacity: usualCapacity)
        capacity = usualCapacity
    }

    @inlinable
    public mutating func reserve(_ extra: Int) {
        if end + extra > capacity { grow(extra) }
    }

    @usableFromInline
    mutating func grow(_ extra: Int) {
        let bigger = max(capacity * 2, end + extra)
        let new = UnsafeMutablePointer<UInt8>.allocate(capacity: bigger)
        memcpy(new, base, end)
        base.deallocate()
        base = new
        capacity = bigger
    }

    @inlinable
    @inline(__always)
    public mutating func append(_ text: StaticString) {
        append(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Appends a copy; `source` is free afterwards.
    @inlinable
    @inline(__always)
    public mutating func append(_ source: UnsafeBufferPointer<UInt8>) {
        guard let from = source.baseAddress else { return }
        reserve(source.count)
        (base + end).update(from: from, count: source.count)
        end += source.count
    }

    /// Appends a copy between two fixed texts: one call instead of three, for what is appended for every event of a stream.
    @inlinable
    @inline(__always)
    public mutating func append(_ source: UnsafeBufferPointer<UInt8>, between start: StaticString, and end: StaticString) {
        let (before, after) = (start.utf8CodeUnitCount, end.utf8CodeUnitCount)
        reserve(before + source.count + after)
        let place = base + self.end
        place.update(from: start.utf8Start, count: before)
        if let from = source.baseAddress { (place + before).update(from: from, count: source.count) }
        (place + before + source.count).update(from: end.utf8Start, count: after)
        self.end += before + source.count + after
    }

    package mutating func append(_ source: [UInt8]) { source.withUnsafeBufferPointer { append($0) } }

    @inlinable
    public mutating func append(_ byte: UInt8) {
        reserve(1)
        base[end] = byte
        end += 1
    }

    package mutating func append(decimal value: Int) {
        if value < 0 { append(UInt8(ascii: "-")) }
        var magnitude = value.magnitude
        var divisor: UInt = 1
        while magnitude / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: magnitude / divisor))
            magnitude %= divisor
            divisor /= 10
        }
    }

    /// Puts bytes in front of those that are there.
    /// - Parameters:
    ///   - limit: the most that `write` writes; 32 in all between two calls of ``removeAll()``.
    ///   - write: is given the place where the bytes have to end, and returns how many it wrote before it.
    @inlinable
    @inline(__always)
    public mutating func prepend(upTo limit: Int, _ write: (UnsafeMutablePointer<UInt8>) -> Int) {
        precondition(start >= limit, "the headroom is used up")
        start -= write(base + start)
    }
}
