import Glibc
import Testing

@testable import EventLoop

@Suite("The poller")
struct PollerTests {
    /// Counts what it hears.
    private final class Ear: Channel {
        private(set) var heard = 0
        var onReady: () -> Void = {}

        override func ready(_ readiness: Readiness) {
            heard += 1
            onReady()
        }
    }

    /// A poller turned by hand, and sockets whose other ends make events.
    private final class Bench {
        let poller: Poller
        /// Owns the wake-up descriptor.
        private let executor = LoopExecutor()

        init() { poller = Poller(wakeUp: executor.wakeUp) }

        func pair() -> (near: Int32, far: Int32) {
            var ends: [Int32] = [-1, -1]
            #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
            return (ends[0], ends[1])
        }

        /// - Returns: how many events the kernel had.
        @discardableResult
        func turn() -> Int {
            let count = poller.wait(timeout: 0)
            _ = poller.deliver(count, bulk: false)
            _ = poller.deliver(count, bulk: true)
            poller.bury()
            return count
        }
    }

    private static func send(_ descriptor: Int32) { #expect(write(descriptor, "x", 1) == 1) }

    @Test("a socket that was closed behind its back, while a copy of it lives, reaches nobody, whoever has taken its place")
    func closedBehindItsBack() {
        let bench = Bench()
        let (near, far) = bench.pair()
        // As a process that is just being started has one.
        let copy = dup(near)
        weak var gone: Ear?
        do {
            let ear = Ear(descriptor: near)
            gone = ear
            bench.poller.register(ear, .edge)
            bench.turn()
            // Too late to be taken out of the kernel's list.
            close(near)
            bench.poller.deregister(ear, close: false)
            bench.turn()
        }
        #expect(gone == nil)
        let (successor, other) = bench.pair()
        let next = Ear(descriptor: successor)
        bench.poller.register(next, .edge)
        bench.turn()
        let before = next.heard

        Self.send(far)
        #expect(bench.turn() == 1, "the kernel still tells of the socket")
        #expect(next.heard == before)

        Self.send(other)
        bench.turn()
        #expect(next.heard == before + 1)
        bench.poller.deregister(next, close: true)
        for descriptor in [copy, far, other] { close(descriptor) }
    }

    @Test("a channel deregistered in the midst of a batch hears nothing more of it, nor does one registered in its place")
    func withinABatch() {
        let bench = Bench()
        let pairs = (0..<2).map { _ in bench.pair() }
        let ears = pairs.map { Ear(descriptor: $0.near) }
        for ear in ears { bench.poller.register(ear, [.readable]) }
        let (late, lateFar) = bench.pair()
        let newcomer = Ear(descriptor: late)
        for (index, ear) in ears.enumerated() {
            ear.onReady = {
                bench.poller.deregister(ears[1 - index], close: true)
                bench.poller.register(newcomer, [.readable])
            }
        }
        for pair in pairs { Self.send(pair.far) }
        #expect(bench.turn() == 2)
        #expect(ears.map(\.heard).reduce(0, +) == 1)
        #expect(newcomer.heard == 0)
        for ear in ears + [newcomer] { bench.poller.deregister(ear, close: true) }
        for descriptor in pairs.map(\.far) + [lateFar] { close(descriptor) }
    }

    @Test("a channel lives while it is registered, and until the batch is done in which it was deregistered")
    func lifetime() {
        let bench = Bench()
        let (near, far) = bench.pair()
        weak var watched: Ear?
        do {
            let ear = Ear(descriptor: near)
            watched = ear
            ear.onReady = { [unowned ear, unowned bench] in
                bench.poller.deregister(ear, close: true)
                #expect(watched != nil)
            }
            bench.poller.register(ear, [.readable])
        }
        #expect(watched != nil)
        Self.send(far)
        bench.turn()
        #expect(watched == nil)
        close(far)
    }
}
