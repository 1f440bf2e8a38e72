import Foundation
import PlaygroundCore
import Testing

@testable import Auth

/// Values that tests use where any will do.
enum Samples {
    /// Seconds since 1970.
    static let now: Int64 = 1_800_000_000
    static let user = UserID(UUIDBytes(high: 0x0190_0000_0000_7000, low: 0x8000_0000_0000_0001))
    static let session = SessionID(UUIDBytes(high: 0x1122_3344_5566_7788, low: 0x99AA_BBCC_DDEE_FF00))
    static let nonce = UUIDBytes(high: 0x0102_0304_0506_0708, low: 0x090A_0B0C_0D0E_0F10)

    static func keyText(_ id: String, _ byte: UInt8) -> String {
        "\(id):\(Data(repeating: byte, count: 32).base64EncodedString())"
    }

    /// A ring of keys that differ; the first signs.
    static func ring(_ ids: String...) throws -> KeyRing {
        try KeyRing(parsing: ids.map { keyText($0, $0.utf8.reduce(7) { $0 &* 31 &+ $1 }) }.joined(separator: ","))
    }

    /// The directory of outside test material, which is no part of the project; without it those tests do not run.
    static let corpora = ProcessInfo.processInfo.environment["CORPORA"].flatMap { $0.isEmpty ? nil : URL(fileURLWithPath: $0) }
}

extension String {
    /// The bytes that this text, in hexadecimal, stands for.
    var hexBytes: [UInt8] {
        stride(from: 0, to: utf8.count, by: 2).compactMap { offset in
            UInt8(dropFirst(offset).prefix(2), radix: 16)
        }
    }
}

/// Looks until the condition holds, for ten seconds at most.
func becomesTrue(_ condition: () throws -> Bool, sourceLocation: SourceLocation = #_sourceLocation) async throws {
    let deadline = ContinuousClock.now + .seconds(10)
    while try !condition() {
        try #require(ContinuousClock.now < deadline, "still not so after ten seconds", sourceLocation: sourceLocation)
        try await Task.sleep(for: .milliseconds(1))
    }
}
