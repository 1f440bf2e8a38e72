import EventLoop

/// What the connections of one loop share.
final class Service {
    let io: LoopIO
    let pacer: Pacer
    let journal: Journal
    let settings: Settings
    /// Scratch for one event or answer; empty between callbacks.
    var scratch: [UInt8] = []
    var eventScratch: [UInt8] = []
    private var random: SplitMix

    init(io: LoopIO, journal: Journal, settings: Settings) {
        self.io = io
        self.journal = journal
        self.settings = settings
        pacer = Pacer(io: io)
        random = SplitMix(state: UInt64(bitPattern: SystemClock.monotonicNanoseconds()))
        scratch.reserveCapacity(16 * 1024)
    }

    /// An identifier's random part: hexadecimal, 16 characters for each word.
    func randomHex(words: Int) -> String {
        (0..<words).map { _ in
            let digits = String(random.next(), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}

/// What the command line says.
struct Settings: Sendable {
    let authorization: String
    let models: ModelCatalogue
    /// Milliseconds between the words of a story.
    let storyInterval: Int
}

/// Takes connections.
final class Listener: Channel {
    private let service: Service

    init(descriptor: Int32, service: Service) {
        self.service = service
        super.init(descriptor: descriptor)
    }

    override func ready(_ readiness: Readiness) {
        // Bounded, so that a storm of connections leaves other descriptors their turn; level-triggered, so that none is lost.
        for _ in 0..<64 {
            // Out of descriptors: the next turn tries again.
            guard let accepted = try? Socket.accept(descriptor) else { return }
            let connection = Connection(descriptor: accepted, service: service)
            service.io.register(connection)
        }
    }
}
