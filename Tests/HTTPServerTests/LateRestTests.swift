import EventLoop
import Glibc
import TestSupport
import Testing

@testable import HTTPServer

/// An answer that is sent together with those of other clients, to a client whose socket has no room for it: what comes back is owed, and
/// nothing that the connection decides meanwhile may forget it.
@Suite("An answer for which there was no room")
struct LateRestTests {
    enum Meanwhile: CaseIterable { case nothing, halfClose, drain, idleTimeout, move }

    private static let get = "GET /now HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test(
        "is whole, and comes before the next, whatever happens meanwhile",
        .enabled(if: EventLoop.canGatherSends, "io_uring is not to be had: nothing is sent with others here"),
        arguments: Meanwhile.allCases, [true, false])
    func owed(meanwhile: Meanwhile, isStreamed: Bool) async throws {
        let counts = EchoCounts()
        try await withLoop { loop in
            let io = loop.io
            let slow = try ConnectionPair(on: loop, counts: counts, sendBuffer: 4_608) {
                if meanwhile == .idleTimeout { $0.keepAliveTimeout = .milliseconds(40) }
                $0.relieveLoopsFrom = 0
                $0.fillLoopsTo = 1_000
            }
            let other = try ConnectionPair(on: loop, counts: counts)
            slow.start(on: loop)
            other.start(on: loop)
            await Self.oneTurn(io)
            let filling = Self.fill(slow.connection.descriptor)
            if meanwhile == .move { slow.context.balance = Self.balance(between: slow.context, counts, on: loop) }

            // Both come with one look at the descriptors, so their answers leave together.
            slow.send(isStreamed ? "GET /called/now HTTP/1.1\r\nHost: a\r\n\r\n" : Self.get)
            other.send(Self.get)
            // A client that awaits a stream and finishes has left.
            if meanwhile == .halfClose, !isStreamed { shutdown(slow.client, Int32(SHUT_WR)) }
            var answer = ""
            try #require(
                await io.wait {
                    answer += other.received()
                    return answer.hasSuffix("now")
                })
            #expect(slow.connection.heldBytes > 0)
            switch meanwhile {
            case .halfClose: shutdown(slow.client, Int32(SHUT_WR))
            case .drain: slow.context.drain()
            case .idleTimeout: await io.pause(.milliseconds(120))
            case .nothing, .move: break
            }
            await Self.oneTurn(io)

            let body = isStreamed ? "6\r\ncalled\r\n0\r\n\r\n" : "now"
            var received = ""
            #expect(
                await io.wait {
                    received += slow.received()
                    return received.hasSuffix(body)
                })
            let owed = received.dropFirst(filling)
            #expect(owed.hasPrefix("HTTP/1.1 200 OK\r\n") && owed.hasSuffix("\r\n\r\n" + body))
            if meanwhile == .nothing || meanwhile == .move {
                slow.send(Self.get)
                var next = ""
                #expect(
                    await io.wait {
                        next += slow.received()
                        return next.hasPrefix("HTTP/1.1 200 OK\r\n") && next.hasSuffix("\r\n\r\nnow")
                    })
            }
        }
    }

    /// Fills a socket from the server's side.
    /// - Returns: how many bytes it took.
    private static func fill(_ descriptor: Int32) -> Int {
        let bytes = [UInt8](repeating: 0x2e, count: 256)
        var count = 0
        while case .moved(let moved) = bytes.withUnsafeBufferPointer({ Socket.send(descriptor, $0) }) { count += moved }
        return count
    }

    /// A balance that gives every connection away, to another context of the same loop.
    private static func balance(between own: ServerContext, _ counts: EchoCounts, on loop: isolated EventLoop) -> LoopBalance {
        let contexts = [own, ServerContext.echo(on: loop, counts: counts)]
        let shares = contexts.map { LoopShare(loop: loop, context: LoopBound($0, on: loop)) }
        return LoopBalance(own: shares[0], shares: shares, configuration: own.configuration, io: loop.io)
    }

    private static func oneTurn(_ io: LoopIO) async {
        await withUnsafeContinuation { turn in io.atEndOfTurn { turn.resume() } }
    }
}
