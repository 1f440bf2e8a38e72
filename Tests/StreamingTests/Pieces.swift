/// Ways to cut bytes into the reads they may come in.
enum Pieces {
    /// Whole, cut in two at every position, and byte by byte.
    static func all(of bytes: [UInt8]) -> [[[UInt8]]] {
        [[bytes], bytes.map { [$0] }] + twos(of: bytes, step: 1)
    }

    /// The same with a step between the positions, for long streams.
    static func twos(of bytes: [UInt8], step: Int) -> [[[UInt8]]] {
        stride(from: 1, to: max(bytes.count, 1), by: step).map { [Array(bytes[..<$0]), Array(bytes[$0...])] }
    }
}
