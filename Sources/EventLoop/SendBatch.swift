import CSystem
import Glibc

/// What the connections of one loop have to send after one look at the descriptors, sent by one system call: io_uring(7).
///
/// A send on its own wakes its reader, and where the kernel lets that one run at once the loop has lost its processor in the midst of its
/// work: with 200 streams at every sixth event. In one call they are made back to back. A relay that does nothing else takes 12 µs an
/// event so where it takes 13.5; the same sends one after the other, each a call of its own, are no cheaper for being put off.
///
/// Its state lies with the ring, so that to look at it counts no references and checks no accesses: it is asked for every event.
///
/// A batch is open while events are delivered and no longer, so nobody else ever finds bytes waiting here. They are copied, that whoever
/// has them sent may use its buffer anew.
struct SendBatch {
    private static let (places, room) = (64, 64 * 1024)
    /// A larger send costs so much by itself that little is saved. What a socket does not take of one is kept for a slow client, and stays
    /// far below what its source is paused for.
    private static let longest = 4096

    private let ring: UnsafeMutablePointer<csystem_ring>

    /// Nil where the kernel has no io_uring, or does not let this process use it. To be closed in the end.
    init?() {
        guard let ring = csystem_ring_open(UInt32(Self.places), Self.room) else { return nil }
        self.ring = ring
    }

    /// Gives the ring back; nothing may wait to be sent.
    func end() { csystem_ring_close(ring) }

    /// Sends are gathered from now on, where so many events may bring more than one.
    func open(for events: Int) { ring.pointee.is_open = events > 1 }

    /// Sends what was gathered; from now on nothing is.
    func close() {
        ring.pointee.is_open = false
        flush()
    }

    /// Bytes of this channel wait to be sent: nothing else may be done with its socket before that.
    func holds(_ channel: Channel) -> Bool { channel.sendBatch == ring.pointee.number && ring.pointee.count > 0 }

    /// Takes bytes in.
    /// - Returns: false where they are to be sent by themselves.
    func add(_ source: UnsafeBufferPointer<UInt8>, for channel: Channel) -> Bool {
        guard ring.pointee.is_open, source.count <= Self.longest else { return false }
        // Alive while the batch is: it is sent before one of its channels is deregistered.
        let owner = Unmanaged.passUnretained(channel).toOpaque()
        if !csystem_ring_add(ring, channel.descriptor, owner, source.baseAddress, source.count) {
            flush()
            if !csystem_ring_add(ring, channel.descriptor, owner, source.baseAddress, source.count) { return false }
        }
        channel.sendBatch = ring.pointee.number
        return true
    }

    /// Sends what was gathered so far, and tells the channels whose sockets did not take all of it. These may send by themselves.
    func flush() {
        let made = ring.pointee.count
        if made == 0 { return }
        let wasOpen = ring.pointee.is_open
        ring.pointee.is_open = false
        let first = ring.pointee.first
        let shortfalls = csystem_ring_send(ring)
        // From 1 on, so that no channel has a part in it from the beginning.
        ring.pointee.number = ring.pointee.number == .max ? 1 : ring.pointee.number + 1
        if shortfalls > 0 { tell(first, made) }
        ring.pointee.is_open = wasOpen
    }

    /// Tells who has something left to send first: what follows from the end of a connection finds everybody knowing what they owe.
    private func tell(_ first: UInt32, _ made: UInt32) {
        for tellsBroken in [false, true] {
            for place in 0..<made {
                let slot = Int((first &+ place) & ring.pointee.mask)
                let outcome = ring.pointee.outcomes[slot]
                let isBroken = outcome < 0 && outcome != -EAGAIN && outcome != -EINTR
                if isBroken == tellsBroken { tell(slot, taken: Int(max(0, outcome)), isBroken) }
            }
        }
    }

    private func tell(_ slot: Int, taken: Int, _ isBroken: Bool) {
        let request = ring.pointee.requests[slot]
        guard taken < request.len, let owner = ring.pointee.owners[slot] else { return }
        let bytes = UnsafePointer<UInt8>(bitPattern: UInt(request.addr))
        let rest = UnsafeBufferPointer(start: bytes.map { $0 + taken }, count: Int(request.len) - taken)
        Unmanaged<Channel>.fromOpaque(owner)._withUnsafeGuaranteedRef {
            $0.sendBatch = 0
            $0.unsent(rest, isBroken: isBroken)
        }
    }
}
