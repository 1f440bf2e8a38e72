import CSystem

/// What a descriptor is ready for, or what a channel wants to hear of. The bits are those of epoll(7).
public struct Readiness: OptionSet, Sendable {
    public let rawValue: UInt32
    @inlinable
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Bytes, a connection to accept, or the end of the stream can be read.
    public static let readable = Readiness(rawValue: 0x001)
    /// The socket takes bytes again, or a connect has finished.
    public static let writable = Readiness(rawValue: 0x004)
    /// The descriptor has an error pending.
    public static let failed = Readiness(rawValue: 0x008)
    /// Both directions are closed.
    public static let hungUp = Readiness(rawValue: 0x010)
    /// The peer closed its sending side (FIN): told even while unread bytes wait.
    public static let peerClosed = Readiness(rawValue: 0x2000)
    /// Tell each change once instead of as long as it lasts.
    static let edgeTriggered = Readiness(rawValue: 1 << 31)
    /// Of several loops that watch one descriptor wake one only.
    static let exclusive = Readiness(rawValue: 1 << 28)

    /// Every change in both directions, told once: registered for a connection's whole life, so that no
    /// system call changes the interest afterwards.
    public static let edge: Readiness = [.readable, .writable, .peerClosed, .edgeTriggered]
    /// A listening socket shared by several loops.
    public static let sharedListener: Readiness = [.readable, .exclusive]
    /// The connection is over, in whole or in part.
    public static let gone: Readiness = [.peerClosed, .failed, .hungUp]
}

/// A descriptor with somebody who reacts to its readiness. Confined to the loop it is registered with.
open class Channel {
    /// The descriptor; owned by the channel's owner, closed by ``LoopIO/deregister(_:close:)``, and then not to be used.
    public final let descriptor: Int32
    /// What the poller knows it by; ``unregistered`` while nobody watches it.
    // Unchecked for overlapping accesses: loads and stores of one word.
    @exclusivity(unchecked) final var registration = Channel.unregistered
    static let unregistered: UInt64 = 0
    /// The last batch of sends that it had a part in.
    @exclusivity(unchecked) final var sendBatch: UInt32 = 0
    final var isRegistered: Bool { registration != Self.unregistered }

    public init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// Called on the loop with what has become ready. May deregister this channel and any other.
    open func ready(_ readiness: Readiness) {}

    /// Called on the loop where ``LoopIO/send(_:on:)`` reported more as moved than the socket took. This may be inside somebody else's
    /// send: the loop's output buffer is in use, and nothing is to be sent on another channel.
    /// - Parameters:
    ///   - rest: the bytes it did not take, good until this returns.
    ///   - isBroken: the connection has failed.
    open func unsent(_ rest: UnsafeBufferPointer<UInt8>, isBroken: Bool) {}
}

/// A channel that carries what comes by itself, like a stream: its events are heard after those that somebody waits for.
open class BulkChannel: Channel {
    /// What its next event will touch.
    // Unchecked for overlapping accesses: laid by one call, followed between two.
    @exclusivity(unchecked) package final var trail = Trail()
}
