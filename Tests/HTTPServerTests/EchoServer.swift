import EventLoop
import Foundation
import HTTPCore
import HTTPTypes
import Synchronization
import TestSupport

@testable import HTTPServer

/// A server with a few routes, each of which shows one duty of the engine.
struct EchoServer {
    let server: Server
    let loops: [EventLoop]
    let counts: EchoCounts
    var port: UInt16 { server.port }
    var address: String { "127.0.0.1:\(server.port)" }

    /// - Parameter adjust: changes the configuration from its defaults.
    static func start(
        loops count: Int = 1, _ adjust: (inout ServerConfiguration) -> Void = { _ in }
    ) async throws -> EchoServer {
        var configuration = ServerConfiguration()
        configuration.port = 0
        adjust(&configuration)
        let loops = (0..<count).map { EventLoop(name: "echo \($0)") }
        for loop in loops { loop.start() }
        let counts = EchoCounts()
        let server = try await Server(configuration: configuration, loops: loops) { loop in
            EchoResponder(loop: loops.firstIndex { $0 === loop } ?? -1, io: loop.io, counts: counts)
        }
        return EchoServer(server: server, loops: loops, counts: counts)
    }

    func client(receiveBuffer: Int32? = nil) throws -> RawClient { try RawClient(port: port, receiveBuffer: receiveBuffer) }

    /// Begins to drain, from a thread that may block.
    func drain() throws {
        let begun = Counter()
        Task {
            try await server.beginDraining()
            begun.add(1)
        }
        try EchoCounts.wait("draining has begun") { begun.value == 1 }
    }

    func stop() { for loop in loops { loop.stop() } }
}

/// A number that a loop changes and a test looks at.
final class Counter: Sendable {
    private let number = Atomic<Int>(0)
    var value: Int { number.load(ordering: .relaxed) }
    func add(_ difference: Int) { number.add(difference, ordering: .relaxed) }
}

/// What a test sees of the responders from outside.
final class EchoCounts: Sendable {
    /// Requests that reached a responder.
    let requests = Counter()
    /// Requests in `/held`, `/quiet`, `/stream/N` or `/reads/N`.
    let running = Counter()
    /// Clients that left one of these before its end.
    let departures = Counter()
    /// Frames handed over by `/stream/N`.
    let frames = Counter()
    /// `/held` answers once it is not 0.
    let mayGo = Counter()

    /// Blocks until `condition` holds.
    static func wait(_ what: String, deadline: Duration = .seconds(10), until condition: () -> Bool) throws {
        let end = ContinuousClock.now + deadline
        while !condition() {
            if ContinuousClock.now > end { throw TestFailure("not within \(deadline): \(what)") }
            usleep(1_000)
        }
    }
}

/// `/echo` returns the body, `/now` answers in the callback that brought the request, `/hello` and everything else answer without reading it, `/stream/N` sends N frames of 1 KiB as
/// fast as they are taken, `/reads/N` as much at a time as one read of an upstream may become, `/quiet` streams nothing until its client leaves, `/held` answers when the test lets it,
/// `/loop` names the loop, `/empty` is 204, `/large` is 512 KiB, `/twice` answers although its stream has begun, `/called/…` answer by
/// calls; all else is 404.
final class EchoResponder: Responder {
    private let loop: Int
    private let io: LoopIO
    private let counts: EchoCounts

    init(loop: Int, io: LoopIO, counts: EchoCounts) {
        self.loop = loop
        self.io = io
        self.counts = counts
    }

    func respond(to request: Request) -> Reply {
        counts.requests.add(1)
        let path = request.bytes.withUnsafeBufferPointer { request.head.target.path.string(in: $0.span) }
        if path.hasPrefix("/called/") { return called(request, path) }
        if path == "/now" { return .response(Response(status: .ok, body: Array("now".utf8))) }
        return .awaited { [self] in await answer(request) }
    }

    /// Answers by a call: at once, after a while, with a response instead of a stream, or after something was awaited.
    private func called(_ request: Request, _ path: String) -> Reply {
        let answer: (Reply) -> Reply = { reply in
            if case .streamed = reply {
                let stream = request.openStream(status: .ok, fields: [.contentType: "text/plain"])
                self.io.output.pointee.append("called")
                stream.write(self.io.output, last: true)
            }
            return reply
        }
        let refusal = Reply.response(Response(status: .conflict, body: Array("refused".utf8)))
        let late = Reply.later { answered in
            self.io.schedule(
                LoopTimer { answered(answer(path == "/called/refused" ? refusal : .streamed)) }, after: .milliseconds(5))
        }
        return switch path {
        case "/called/now": .later { answered in answered(answer(.streamed)) }
        case "/called/awaited": .awaited { late }
        default: late
        }
    }

    private func answer(_ request: Request) async -> Reply {
        let path = request.bytes.withUnsafeBufferPointer { request.head.target.path.string(in: $0.span) }
        switch path {
        case "/echo": return .response(await echo(request))
        case "/hello": return .response(Response(status: .ok, body: Array("hello".utf8)))
        case "/loop": return .response(Response(status: .ok, body: Array(String(loop).utf8)))
        case "/empty": return .response(Response(status: .noContent))
        case "/large": return .response(Response(status: .ok, body: [UInt8](repeating: 0x2e, count: 512 * 1024)))
        case "/held":
            counts.running.add(1)
            while counts.mayGo.value == 0 { await io.pause(.milliseconds(1)) }
            counts.running.add(-1)
            return .response(Response(status: .ok, body: Array("held".utf8)))
        case "/twice":
            let stream = request.openStream(status: .ok, fields: [.contentType: "text/plain"])
            io.output.pointee.append("once")
            stream.write(io.output, last: true)
            return .response(Response(status: .internalServerError))
        case "/quiet": return await stream(request, frames: Int.max, isQuiet: true)
        case _ where path.hasPrefix("/stream/"):
            return await stream(request, frames: Int(path.dropFirst(8)) ?? 0, isQuiet: false)
        case _ where path.hasPrefix("/reads/"):
            // With the framing of its chunk a little less than 32 KiB.
            return await stream(request, frames: Int(path.dropFirst(7)) ?? 0, lines: 2047, isQuiet: false)
        default: return .response(Response(status: .notFound, body: Array("nothing here".utf8)))
        }
    }

    func refuse(_ error: RequestError) -> Response {
        switch error {
        case .malformed(let error): Response(status: error.status, body: Array("malformed".utf8))
        case .timedOut: Response(status: .requestTimeout, body: Array("too slow".utf8))
        }
    }

    func refuseBody(of request: Request) -> Response { Response(status: .contentTooLarge, body: Array("too large".utf8)) }

    func refuseOverload(_ request: Request) -> Response? {
        let path = request.bytes.withUnsafeBufferPointer { request.head.target.path.string(in: $0.span) }
        return path == "/hello" ? nil : Response(status: .serviceUnavailable, body: Array("full".utf8))
    }

    private func echo(_ request: Request) async -> Response {
        do {
            return Response(status: .ok, body: try await request.body(limit: 1000))
        } catch {
            switch error {
            case .tooLarge: return Response(status: .contentTooLarge, body: Array("echo takes 1000".utf8))
            case .timedOut: return Response(status: .requestTimeout)
            case .incomplete: return Response(status: .badRequest)
            case .malformed(let error): return Response(status: error.status)
            }
        }
    }

    private func stream(_ request: Request, frames: Int, lines: Int = 64, isQuiet: Bool) async -> Reply {
        let stream = request.openStream(status: .ok, fields: [.contentType: "text/plain"])
        if stream.isClosed {
            counts.departures.add(1)
            return .streamed
        }
        let pump = Pump(frames: frames, lines: lines, stream: stream, io: io, counts: counts)
        stream.source = pump
        counts.running.add(1)
        await withUnsafeContinuation { pump.start($0, isQuiet: isQuiet) }
        counts.running.add(-1)
        return .streamed
    }

    /// Writes frames while the sink takes them.
    private final class Pump: ByteSource {
        private var left: Int
        /// In a frame, of 16 bytes each.
        private let lines: Int
        private let stream: ResponseStream
        private let io: LoopIO
        private let counts: EchoCounts
        private var done: UnsafeContinuation<Void, Never>?

        init(frames: Int, lines: Int, stream: ResponseStream, io: LoopIO, counts: EchoCounts) {
            left = frames
            self.lines = lines
            self.stream = stream
            self.io = io
            self.counts = counts
        }

        func start(_ continuation: UnsafeContinuation<Void, Never>, isQuiet: Bool) {
            done = continuation
            if !isQuiet { sinkDrained() }
        }

        func sinkDrained() {
            while left > 0, !stream.isFull, done != nil {
                left -= 1
                counts.frames.add(1)
                for _ in 0..<lines { io.output.pointee.append("0123456789abcde\n") }
                stream.write(io.output, last: left == 0)
            }
            if left == 0 { finish() }
        }

        func sinkClosed() {
            counts.departures.add(1)
            finish()
        }

        private func finish() {
            done?.resume()
            done = nil
        }
    }
}
