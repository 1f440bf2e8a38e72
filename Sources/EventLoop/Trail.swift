import CSystem

/// Where the memory lies that the next event of a channel will touch, beside the channel itself.
///
/// A stream has an event every few milliseconds, and by the next one the processor's cache has forgotten it. Each object on the way
/// is then waited for, one after the other, because each leads to the next. Along a trail they are fetched at once, while the
/// events before are worked on. It is a hint and nothing is read through it, so a trail that has become stale does no harm.
package struct Trail {
    private static let capacity = 6

    private var starts: InlineArray<6, UnsafeRawPointer?> = .init(repeating: nil)
    private var lines: InlineArray<6, UInt8> = .init(repeating: 0)
    private var count = 0

    package init() {}

    /// Adds the first lines of an object, of 64 bytes each. Beyond six pieces of memory nothing is added.
    package mutating func add(_ object: AnyObject, lines: UInt8) {
        add(UnsafeRawPointer(Unmanaged.passUnretained(object).toOpaque()), lines: lines)
    }

    /// Adds lines of memory.
    package mutating func add(_ start: UnsafeRawPointer?, lines: UInt8) {
        guard let start, count < Self.capacity else { return }
        starts[count] = start
        self.lines[count] = lines
        count += 1
    }

    /// Has all of it fetched.
    func follow() {
        // Unchecked: `add` lets the count grow no further than there are places.
        for index in 0..<count { csystem_prefetch(starts[unchecked: index], UInt32(lines[unchecked: index])) }
    }
}
