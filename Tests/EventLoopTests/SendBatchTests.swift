import Glibc
import TestSupport
import Testing

@testable import EventLoop

/// What connections send while events are delivered, where the kernel makes many sends by one call and where it does not.
@Suite("What is sent while events are delivered", .serialized)
struct SendBatchTests {
    /// One end of a socket pair that says something whenever the other end rings.
    private final class Speaker: BulkChannel {
        let far: Int32
        private let io: LoopIO
        /// Called for each event.
        var onReady: (Speaker) -> Void = { _ in }
        var onWritable: () -> Void = {}
        /// What was not taken, at once or when it came back, in order.
        private(set) var owed: [UInt8] = []
        private(set) var isBroken = false
        private(set) var results: [Socket.Transfer] = []

        /// - Parameter isSmall: the socket takes a few hundred bytes beside one send of 2,240 bytes.
        init(_ io: LoopIO, isSmall: Bool = false) throws {
            var ends: [Int32] = [-1, -1]
            guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &ends) == 0 else {
                throw TestFailure("no socket pair")
            }
            var least: Int32 = 1
            if isSmall { setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &least, socklen_t(MemoryLayout<Int32>.size)) }
            far = ends[1]
            self.io = io
            super.init(descriptor: ends[0])
            io.register(self)
        }

        override func ready(_ readiness: Readiness) {
            if readiness.contains(.writable) { onWritable() }
            if readiness.contains(.readable), case .moved = Socket.receive(descriptor, into: io.readBuffer) { onReady(self) }
        }

        override func unsent(_ rest: UnsafeBufferPointer<UInt8>, isBroken: Bool) {
            owed += rest
            self.isBroken = isBroken
        }

        func ring() { _ = write(far, "x", 1) }

        func say(_ bytes: [UInt8]) {
            let result = bytes.withUnsafeBufferPointer { io.send($0, on: self) }
            results.append(result)
            switch result {
            case .moved(let count): owed += bytes[count...]
            case .blocked: owed += bytes
            case .ended, .failed: break
            }
        }

        /// Puts zeros into the socket, 100 at a time, as often as it takes them.
        func fill(times: Int) {
            let zeros = [UInt8](repeating: 0, count: 100)
            for _ in 0..<times { _ = zeros.withUnsafeBufferPointer { Socket.send(descriptor, $0) } }
        }

        /// What has arrived at the other end.
        func heard() -> [UInt8] {
            var all: [UInt8] = []
            let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 64 * 1024)
            defer { buffer.deallocate() }
            while case .moved(let count) = Socket.receive(far, into: buffer) { all += buffer[..<count] }
            return all
        }

        func end() {
            io.deregister(self, close: true)
            close(far)
        }
    }

    /// Does `body` on a loop that gathers sends, and on one that does not.
    private static func onBoth(_ body: @escaping @Sendable (isolated EventLoop) async throws -> Void) async throws {
        for gathersSends in EventLoop.canGatherSends ? [true, false] : [false] {
            let loop = EventLoop(name: "test", gathersSends: gathersSends)
            loop.start()
            defer { loop.stop() }
            try await loop.run(body)
        }
    }

    private static func ringAll(_ speakers: [Speaker], on io: LoopIO) async throws {
        for speaker in speakers { speaker.ring() }
        await io.pause(.milliseconds(1))
        let told = speakers
        #expect(await io.wait { told.allSatisfy { !$0.results.isEmpty } })
    }

    @Test(
        "goes out by one call, which the kernel here offers",
        .enabled(if: EventLoop.canGatherSends, "io_uring is not to be had: what it does goes untested here"))
    func isGathered() async throws {
        try await withLoop { loop in
            let speakers = try (0..<2).map { _ in try Speaker(loop.io) }
            var heard = 0
            for speaker in speakers {
                speaker.onReady = { speaker in
                    speaker.say([1])
                    // Said, and still here: it leaves when all have been heard.
                    heard += speaker.heard().count
                }
            }
            try await Self.ringAll(speakers, on: loop.io)
            #expect(heard == 0)
            for speaker in speakers {
                #expect(speaker.heard() == [1])
                speaker.end()
            }
        }
    }

    @Test("arrives whole and in order, from more channels than one call takes, in whatever sizes")
    func arrives() async throws {
        try await Self.onBoth { loop in
            let speakers = try (0..<200).map { _ in try Speaker(loop.io) }
            let sizes = [1, 90, 4_096, 4_097, 0, 20_000, 300]
            var expected: [[UInt8]] = []
            for (index, speaker) in speakers.enumerated() {
                let messages = sizes.map { size in (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ index) } }
                expected.append(messages.flatMap { $0 })
                speaker.onReady = { speaker in for message in messages where !message.isEmpty { speaker.say(message) } }
            }
            try await Self.ringAll(speakers, on: loop.io)
            for (speaker, expected) in zip(speakers, expected) {
                #expect(speaker.heard() == expected)
                #expect(speaker.owed.isEmpty)
                speaker.end()
            }
        }
    }

    @Test("comes back as far as there is no room, nothing that is sent behind it overtakes it, and room is told of")
    func noRoom() async throws {
        try await Self.onBoth { loop in
            let io = loop.io
            let speakers = try (0..<8).map { _ in try Speaker(io, isSmall: true) }
            let messages = [(1, 4_000), (2, 4_000), (3, 10)].map { [UInt8](repeating: UInt8($0), count: $1) }
            var tellings = 0
            for (index, speaker) in speakers.enumerated() {
                speaker.fill(times: index)
                speaker.onReady = { speaker in
                    // What a caller does: it keeps what was not taken, and sends no more until there is room.
                    for message in messages where speaker.owed.isEmpty { speaker.say(message) }
                    speaker.onWritable = { tellings += 1 }
                }
            }
            try await Self.ringAll(speakers, on: io)
            // Of the first message the first socket took all, those with little in them a part, and the full ones nothing.
            for (index, expected) in [4_000, 2_240, 2_240, 2_240, 2_240, 2_240, 0, 0].enumerated() {
                let (heard, owed) = (speakers[index].heard().filter { $0 != 0 }, speakers[index].owed)
                #expect(heard.count { $0 == 1 } == expected)
                if index > 0 { #expect(speakers[index].results.dropFirst().allSatisfy { $0 == .blocked }) }
                #expect(messages.flatMap { $0 }.starts(with: heard + owed) && owed.count + heard.count >= 4_000)
            }
            #expect(await io.wait { tellings == 8 })
            for speaker in speakers { speaker.end() }
        }
    }

    @Test("to a peer that is gone is told as broken, and costs the others nothing")
    func broken() async throws {
        try await Self.onBoth { loop in
            let gone = try Speaker(loop.io)
            let others = try (0..<3).map { _ in try Speaker(loop.io) }
            for speaker in others + [gone] { speaker.onReady = { $0.say([1, 2, 3]) } }
            for speaker in [others[0], gone, others[1], others[2]] { speaker.ring() }
            shutdown(gone.far, Int32(SHUT_RD))
            #expect(await loop.io.wait { (others + [gone]).allSatisfy { !$0.results.isEmpty } })
            #expect(gone.isBroken || gone.results == [.failed])
            for other in others { #expect(other.heard() == [1, 2, 3]) }
            for speaker in others + [gone] { speaker.end() }
        }
    }

    @Test("is out before its channel is let go of, and before its descriptor is anybody else's")
    func deregistered() async throws {
        try await Self.onBoth { loop in
            let io = loop.io
            let leaving = try Speaker(io)
            let staying = try Speaker(io)
            var next: Int32 = -1
            leaving.onReady = { leaving in
                leaving.say([1, 2, 3])
                let descriptor = leaving.descriptor
                io.deregister(leaving, close: true)
                // Takes its place, unless a test beside this one was faster.
                next = fcntl(staying.far, F_DUPFD_CLOEXEC, descriptor)
            }
            staying.onReady = { $0.say([4, 5, 6]) }
            try await Self.ringAll([leaving, staying], on: io)
            #expect(leaving.heard() == [1, 2, 3])
            #expect(staying.heard() == [4, 5, 6])
            close(next)
            close(leaving.far)
            staying.end()
        }
    }
}
