import Glibc
import TestSupport
import Testing

@testable import EventLoop

@Suite("An event loop")
struct EventLoopTests {
    @Test("runs work on its own executor and returns the result")
    func runsWork() async throws {
        let loop = EventLoop(name: "test")
        loop.start()
        let onLoop = try await loop.run { loop in
            loop.executor.isIsolatingCurrentContext() == true
        }
        #expect(onLoop)
        loop.stop()
    }

    @Test("loses no wake-up when many threads leave work at once")
    func wakeUps() async throws {
        let loop = EventLoop(name: "test")
        loop.start()
        try await withThrowingTaskGroup(of: Int.self) { group in
            for index in 0..<2_000 { group.addTask { try await loop.run { _ in index } } }
            var sum = 0
            for try await value in group { sum += value }
            #expect(sum == 1_999_000)
        }
        loop.stop()
    }

    @Test("resumes a suspended task on the loop, not on the global pool")
    func resumesOnLoop() async throws {
        let loop = EventLoop(name: "test")
        loop.start()
        let stayed = try await loop.run { loop in
            let io = loop.io
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                io.schedule(LoopTimer { continuation.resume() }, after: .milliseconds(10))
            }
            return loop.executor.isIsolatingCurrentContext() == true
        }
        #expect(stayed)
        loop.stop()
    }

    @Test("hears who is waited for before streams, and does what follows from it, whatever the kernel tells first")
    func urgencies() async throws {
        let order = try await withLoop { loop in
            let streams = try (0..<3).map { _ in try Wire(isBulk: true) }
            let answer = try Wire(isBulk: false)
            for wire in streams + [answer] { loop.io.register(wire.channel) }
            var order: [String] = []
            for stream in streams { stream.onReady = { order.append("stream") } }
            // All of it arrives between two looks at the descriptors, the answer last.
            for wire in streams + [answer] { wire.ring() }
            await withUnsafeContinuation { continuation in
                answer.onReady = {
                    order.append("answer")
                    continuation.resume()
                }
            }
            order.append("what waited for it")
            while order.count < 5 { await loop.io.pause(.milliseconds(1)) }
            for wire in streams + [answer] { wire.end(on: loop.io) }
            return order
        }
        #expect(order == ["answer", "what waited for it", "stream", "stream", "stream"])
    }

    @Test("fetches ahead along trails, which do no harm where the memory is gone, was never there, or is too much for one")
    func trails() async throws {
        let heard = try await withLoop { loop in
            let streams = try (0..<20).map { _ in try Wire(isBulk: true) }
            var heard = 0
            for stream in streams {
                loop.io.register(stream.channel)
                stream.onReady = { heard += 1 }
                let freed = UnsafeMutableRawPointer.allocate(byteCount: 1 << 20, alignment: 64)
                freed.deallocate()
                var trail = Trail()
                trail.add(UnsafeRawPointer(freed), lines: 255)
                trail.add(nil, lines: 3)
                for address in [1, 0x7fff_ffff_f000, Int.min] { trail.add(UnsafeRawPointer(bitPattern: address), lines: 2) }
                for _ in 0..<9 { trail.add(stream.channel, lines: 8) }
                try #require(stream.channel as? BulkChannel).trail = trail
            }
            for stream in streams { stream.ring() }
            while heard < streams.count { await loop.io.pause(.milliseconds(1)) }
            for stream in streams { stream.end(on: loop.io) }
            return heard
        }
        #expect(heard == 20)
    }

    @Test("a kernel timer is never early, is finer than a tick, and lets go of who waits when it is closed")
    func kernelTimer() async throws {
        try await withLoop { loop in
            let timer = try #require(KernelTimer(io: loop.io))
            var pauses: [Duration] = []
            for _ in 0..<50 {
                let start = ContinuousClock.now
                await timer.pause(microseconds: 1_000)
                pauses.append(ContinuousClock.now - start)
            }
            let shortest = try #require(pauses.min())
            #expect(shortest >= .milliseconds(1) && shortest < .milliseconds(TimerWheel.tick))
            loop.io.atEndOfTurn { timer.close() }
            await timer.pause(microseconds: 3_600_000_000)
        }
    }

    @Test("delivers readiness once per change, and nothing after a channel was deregistered")
    func readiness() async throws {
        let loop = EventLoop(name: "test")
        loop.start()
        let events = try await loop.run { loop -> [Int] in
            let io = loop.io
            let listener = try Socket.listen(host: "127.0.0.1", port: 0)
            let client = try Socket.connect(ipv4: "127.0.0.1", port: Socket.localPort(of: listener))
            let recorder = Recorder(descriptor: client, io: io)
            return await withUnsafeContinuation { continuation in
                recorder.finished = { continuation.resume(returning: $0) }
                io.register(Acceptor(descriptor: listener, io: io), [.readable])
                io.register(recorder)
            }
        }
        #expect(events == [5, 0])
        loop.stop()
    }

    /// Takes one connection, sends five bytes and closes it.
    private final class Acceptor: Channel {
        private let io: LoopIO
        init(descriptor: Int32, io: LoopIO) {
            self.io = io
            super.init(descriptor: descriptor)
        }
        override func ready(_ readiness: Readiness) {
            guard let accepted = try? Socket.accept(descriptor) else { return }
            _ = Array("hello".utf8).withUnsafeBufferPointer { Socket.send(accepted, $0) }
            Socket.close(accepted)
            io.deregister(self, close: true)
        }
    }

    /// Records the sizes of its reads until the peer closes.
    private final class Recorder: Channel {
        private let io: LoopIO
        private var sizes: [Int] = []
        var finished: (([Int]) -> Void)?
        init(descriptor: Int32, io: LoopIO) {
            self.io = io
            super.init(descriptor: descriptor)
        }
        override func ready(_ readiness: Readiness) {
            while readiness.contains(.readable) {
                switch Socket.receive(descriptor, into: io.readBuffer) {
                case .moved(let count): sizes.append(count)
                case .blocked: return
                case .ended, .failed:
                    sizes.append(0)
                    io.deregister(self, close: true)
                    finished?(sizes)
                    return
                }
            }
        }
    }
}

/// A socket pair, one end of which a loop watches, and what is done when the other end is rung.
private final class Wire {
    let channel: Channel
    private let far: Int32
    private let bell: Bell

    init(isBulk: Bool) throws {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else { throw TestFailure("no socket pair") }
        far = ends[1]
        bell = Bell()
        channel = isBulk ? BulkEnd(ends[0], bell) : End(ends[0], bell)
    }

    var onReady: () -> Void {
        get { bell.onReady }
        set { bell.onReady = newValue }
    }

    func ring() { _ = write(far, "x", 1) }

    func end(on io: LoopIO) {
        io.deregister(channel, close: true)
        close(far)
    }

    fileprivate final class Bell {
        var onReady: () -> Void = {}

        func ready(_ readiness: Readiness) {
            // Told once for what can be written, when it is registered.
            if readiness.contains(.readable) { onReady() }
        }
    }

    private final class End: Channel {
        private let bell: Bell

        init(_ descriptor: Int32, _ bell: Bell) {
            self.bell = bell
            super.init(descriptor: descriptor)
        }

        override func ready(_ readiness: Readiness) { bell.ready(readiness) }
    }

    private final class BulkEnd: BulkChannel {
        private let bell: Bell

        init(_ descriptor: Int32, _ bell: Bell) {
            self.bell = bell
            super.init(descriptor: descriptor)
        }

        override func ready(_ readiness: Readiness) { bell.ready(readiness) }
    }
}
