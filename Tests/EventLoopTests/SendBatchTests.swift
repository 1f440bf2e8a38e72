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
        /// What did not go out, in the order in which it came back, and whether the connection had failed.
        private(set) var unsent: [UInt8] = []
        private(set) var isBroken = false
        private(set) var results: [Socket.Transfer] = []

        init(_ io: LoopIO, sendBuffer: Int32? = nil) throws {
            var ends: [Int32] = [-1, -1]
            guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &ends) == 0 else {
                throw TestFailure("no socket pair")
            }
            if var size = sendBuffer { setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size)) }
            far = ends[1]
            self.io = io
            super.init(descriptor: ends[0])
            io.register(self)
        }

        override func ready(_ readiness: Readiness) {
            if readiness.contains(.readable), case .moved = Socket.receive(descriptor, into: io.readBuffer) { onReady(self) }
        }

        override func unsent(_ rest: UnsafeBufferPointer<UInt8>, isBroken: Bool) {
            unsent += rest
            self.isBroken = isBroken
        }

        func ring() { _ = write(far, "x", 1) }

        func say(_ bytes: [UInt8]) { results.append(bytes.withUnsafeBufferPointer { io.send($0, on: self) }) }

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
        for gathersSends in [true, false] {
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
                #expect(speaker.unsent.isEmpty)
                speaker.end()
            }
        }
    }

    @Test("comes back as far as the socket has no room, and nothing that is sent behind it overtakes it")
    func noRoom() async throws {
        try await Self.onBoth { loop in
            let full = try Speaker(loop.io, sendBuffer: 4_608)
            let others = try (0..<3).map { _ in try Speaker(loop.io) }
            var said: [UInt8] = []
            full.onReady = { full in
                for round in 0..<40 {
                    let message = [UInt8](repeating: UInt8(round), count: 1_000)
                    full.say(message)
                    // What a caller does: it keeps what was not taken, and asks no more until there is room.
                    guard full.results.last == .moved(1_000), full.unsent.isEmpty else {
                        if full.results.last == .blocked { return }
                        said += message
                        return
                    }
                    said += message
                }
            }
            for other in others { other.onReady = { $0.say([1, 2, 3]) } }
            try await Self.ringAll([others[0], full, others[1], others[2]], on: loop.io)
            let heard = full.heard()
            #expect(!heard.isEmpty && heard.count < 40_000)
            #expect(Array(said.prefix(heard.count)) == heard)
            #expect(said.starts(with: heard + full.unsent))
            for other in others { #expect(other.heard() == [1, 2, 3]) }
            for speaker in others + [full] { speaker.end() }
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
                next = dup(staying.far)
                #expect(next == descriptor)
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
