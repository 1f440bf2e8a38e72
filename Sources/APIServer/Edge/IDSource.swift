import EventLoop
import PlaygroundCore

/// Makes the ids of one loop. They need not be secret, only distinct: the generator is seeded from the system's own and
/// costs no system call an id.
final class IDSource {
    private var state: UInt64
    private let stream: UInt64

    init() {
        var system = SystemRandomNumberGenerator()
        state = system.next()
        stream = system.next() | 1
    }

    func next<ID: Identifier>() -> ID {
        ID.v7(milliseconds: SystemClock.microseconds() / 1_000, random: (random(), random()))
    }

    /// SplitMix64 with a stream of its own (Steele, Lea and Flood, 2014).
    private func random() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15 ^ (stream << 1)
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
