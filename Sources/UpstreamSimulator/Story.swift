/// A little story of its own for every prompt and seed, the same each time it is asked for: what a person sees who has no
/// real upstream yet. Its tokens are words with the space in front, as a model's are.
struct Story: Sequence, IteratorProtocol {
    private var random: SplitMix
    private var words: [Substring] = []
    private var index = 0
    private var sentence = 0
    private let sentences: Int

    init(prompt: String, seed: Int64?, choice: Int) {
        // FNV-1a, so that the same prompt tells the same story in every run and on every machine.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in prompt.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        random = SplitMix(state: hash &+ UInt64(bitPattern: seed ?? 0) &+ UInt64(choice) &* 0x9e37_79b9)
        sentences = 5 + Int(random.next() % 4)
    }

    mutating func next() -> String? {
        if index == words.count {
            guard sentence < sentences else { return nil }
            words = nextSentence().split(separator: " ")
            index = 0
        }
        defer { index += 1 }
        return " " + words[index]
    }

    private mutating func nextSentence() -> String {
        defer { sentence += 1 }
        if sentence == 0 { return "\(pick(Self.openings)) \(pick(Self.heroes)) lived \(pick(Self.places))." }
        if sentence == sentences - 1 { return pick(Self.endings) }
        return "\(pick(Self.times)) \(pick(Self.heroes)) \(pick(Self.deeds)) \(pick(Self.things)) \(pick(Self.places))."
    }

    private mutating func pick(_ list: [String]) -> String { list[Int(random.next() % UInt64(list.count))] }

    private static let openings = [
        "Once upon a time,", "Long before the first railway,", "On the far side of the hill,", "In a quiet year,",
    ]
    private static let heroes = [
        "a patient clockmaker", "the lighthouse keeper", "an inquisitive fox", "a young cartographer", "the baker's daughter",
        "a retired sea captain", "an owl with spectacles", "the last beekeeper",
    ]
    private static let places = [
        "by the edge of the sea", "under the old stone bridge", "above the orchard", "behind the mill",
        "in a village of tall chimneys",
        "where three rivers meet", "at the end of the pier", "beneath the northern lights",
    ]
    private static let times = [
        "One morning", "That winter", "Every evening", "To everyone's surprise,", "When the fog lifted,", "On market day",
        "A week later", "Without a word,",
    ]
    private static let deeds = [
        "found", "repaired", "painted", "borrowed", "listened to", "gave away", "buried", "wrote a letter about",
    ]
    private static let things = [
        "a silver compass", "a box of unsent letters", "the broken bell", "a map without names", "a kettle that sang",
        "the smallest boat", "a lantern of green glass", "a jar of summer honey",
    ]
    private static let endings = [
        "And if the tide has not turned, they are talking about it still.", "Nobody ever asked for it back.",
        "That is how the village got its name.", "The rest, as they say, is written on the other side of the map.",
    ]
}

/// Steele, Lea and Flood's SplitMix64: small, and the same everywhere.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
