import CSystem

/// What the connections of one loop have to send after one look at the descriptors, sent by one system call: io_uring(7).
///
/// A send on its own wakes its reader, and where the kernel lets that one run at once the loop has lost its processor in the midst of its
/// work: with 200 streams at every sixth event. In one call they are made back to back. A relay that does nothing else takes 12 µs an
/// event so where it takes 13.5; the same sends one after the other, each a call of its own, are no cheaper for being put off.
///
/// A batch is open while events are delivered and no longer, so nobody else ever finds bytes waiting here. They are copied, that whoever
/// has them sent may use its buffer anew.
final class SendBatch {
    private static let (places, room) = (64, 64 * 1024)
    /// A larger send costs so much by itself that little is saved. What a socket does not take of one is kept for a slow client, and stays
    /// far below what its source is paused for.
    private static let longest = 4096

    private struct Part {
        // Alive while the batch is: it is sent before one of its channels is deregistered.
        let channel: Unmanaged<Channel>
        let start: Int
        var count: Int
    }

    private let ring: UnsafeMutablePointer<csystem_ring>
    private let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: room)
    private let parts = UnsafeMutablePointer<Part>.allocate(capacity: places)
    // Unchecked for overlapping accesses: loads and stores of one word.
    @exclusivity(unchecked) private var count = 0
    @exclusivity(unchecked) private var used = 0
    @exclusivity(unchecked) private var isOpen = false
    /// Of the batch in hand. From 1 on, so that no channel has a part in it from the beginning.
    @exclusivity(unchecked) private var number: UInt32 = 1

    /// Nil where the kernel has no io_uring, or does not let this process use it.
    init?() {
        guard let ring = csystem_ring_open(UInt32(Self.places)) else { return nil }
        self.ring = ring
    }

    deinit {
        csystem_ring_close(ring)
        bytes.deallocate()
        parts.deallocate()
    }

    /// Sends are gathered from now on, where so many events may bring more than one.
    func open(for events: Int) { isOpen = events > 1 }

    /// Sends what was gathered; from now on nothing is.
    func close() {
        isOpen = false
        flush()
    }

    /// Bytes of this channel wait to be sent: nothing else may be done with its socket before that.
    func holds(_ channel: Channel) -> Bool { count > 0 && channel.sendBatch == number }

    /// Takes bytes in.
    /// - Returns: false where they are to be sent by themselves.
    func add(_ source: UnsafeBufferPointer<UInt8>, for channel: Channel) -> Bool {
        guard isOpen, source.count <= Self.longest, let from = source.baseAddress else { return false }
        if count == Self.places || used + source.count > Self.room { flush() }
        (bytes + used).update(from: from, count: source.count)
        (parts + count).initialize(to: Part(channel: .passUnretained(channel), start: used, count: source.count))
        channel.sendBatch = number
        count += 1
        used += source.count
        return true
    }

    /// Sends what was gathered so far, and tells the channels whose sockets did not take all of it. These may send by themselves.
    func flush() {
        if count == 0 { return }
        let wasOpen = isOpen
        isOpen = false
        let made = count
        count = 0
        used = 0
        number = number == .max ? 1 : number + 1
        for place in 0..<made {
            let part = parts[place]
            part.channel._withUnsafeGuaranteedRef { csystem_ring_add(ring, $0.descriptor, bytes + part.start, part.count) }
        }
        if csystem_ring_send(ring) > 0 { tell(made) }
        isOpen = wasOpen
    }

    /// Tells who has something left to send first: what follows from the end of a connection finds everybody knowing what they owe.
    private func tell(_ made: Int) {
        for isBroken in [false, true] {
            for place in 0..<made {
                let outcome = Int(ring.pointee.outcomes[place])
                if (outcome == Int(CSYSTEM_FAILED)) == isBroken { tell(parts[place], outcome) }
            }
        }
    }

    private func tell(_ part: Part, _ outcome: Int) {
        if outcome == part.count { return }
        let taken = max(0, outcome)
        let rest = UnsafeBufferPointer(start: bytes + part.start + taken, count: part.count - taken)
        part.channel._withUnsafeGuaranteedRef {
            $0.sendBatch = 0
            $0.unsent(rest, isBroken: outcome == Int(CSYSTEM_FAILED))
        }
    }
}
