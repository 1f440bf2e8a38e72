import COpenSSL
import Foundation
import PlaygroundCore
import Synchronization
import TestSupport
import Testing

@testable import Auth

@Suite("Stored passwords")
struct PasswordHashTests {
    @Test("are PHC strings that carry their cost", arguments: [10, 17])
    func roundTrip(logN: Int) throws {
        let hash = PasswordHash(cost: .init(logN: logN, r: 8, p: 1), salt: Array(0..<16), key: Array(100..<132))
        #expect(hash.description.hasPrefix("$scrypt$ln=\(logN),r=8,p=1$AAECAwQFBgcICQoLDA0ODw$"))
        #expect(PasswordHash(parsing: hash.description) == hash)
    }

    // RFC 7914, section 12: N = 16384, r = 8, p = 1; the first half of the 64 bytes there.
    @Test("derive as RFC 7914 says")
    func vector() {
        let key = PasswordHash.deriveKey(
            password: Array("pleaseletmein".utf8), salt: Array("SodiumChloride".utf8), cost: .init(logN: 14, r: 8, p: 1))
        #expect(key == "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2".hexBytes)
    }

    @Test(
        "in any other form are none of ours",
        arguments: [
            "", "$", "plain", "$2b$12$abcdefghijklmnopqrstuu", "$scrypt$ln=17,r=8$AAECAwQFBgcICQoLDA0ODw$AA",
            "$scrypt$ln=17,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$AA", "$scrypt$ln=17,r=8,p=1$AA$" + String(repeating: "A", count: 43),
            "$scrypt$ln=20,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$" + String(repeating: "A", count: 43),
            "$scrypt$ln=99,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$" + String(repeating: "A", count: 43),
            "$scrypt$ln=017,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$" + String(repeating: "A", count: 43),
            "$scrypt$ln=17,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$" + String(repeating: "A", count: 43) + "$",
        ])
    func refused(text: String) {
        #expect(PasswordHash(parsing: text) == nil)
    }

    @Test(
        "cost 128 MiB each, and less is to be replaced",
        arguments: [
            (17, 8, 1, false), (14, 8, 1, true), (16, 8, 2, true), (17, 8, 2, false), (16, 8, 1, true),
        ])
    func cost(logN: Int, r: Int, p: Int, isWeaker: Bool) {
        #expect(PasswordHash.Cost(logN: logN, r: r, p: p).isWeakerThanCurrent == isWeaker)
        #expect(PasswordHash.Cost.current == .init(logN: 17, r: 8, p: 1))
        #expect((128 << 20)...(129 << 20) ~= PasswordHash.Cost.current.bytes)
        #expect(PasswordHash.dummy.cost == .current)
    }
}

@Suite("Hashing passwords", .serialized)
struct PasswordHasherTests {
    let hasher = PasswordHasher(cores: 1)

    /// A stored hash that is cheap to check.
    func stored(_ password: String, logN: Int = 10, p: Int = 1) throws -> String {
        let cost = PasswordHash.Cost(logN: logN, r: 8, p: p)
        let salt = [UInt8](repeating: 5, count: 16)
        let key = try #require(PasswordHash.deriveKey(password: PasswordHash.input(password), salt: salt, cost: cost))
        return PasswordHash(cost: cost, salt: salt, key: key).description
    }

    @Test("accepts the password and no other, and salts each hash")
    func hash() async throws {
        let first = try await hasher.hash("correct horse")
        #expect(first.hasPrefix("$scrypt$ln=17,r=8,p=1$"))
        #expect(try await hasher.verify("correct horse", against: first) == .init(isMatch: true, needsRehash: false))
        #expect(try await hasher.verify("correct horsf", against: first) == .init(isMatch: false, needsRehash: false))
        #expect(try await hasher.hash("correct horse") != first)
    }

    @Test(
        "sees every byte: after the 72nd, after a NUL, at the ends, of the same letter in another form",
        arguments: [
            (String(repeating: "x", count: 72) + "a", String(repeating: "x", count: 72) + "b"),
            ("secret\u{0}one", "secret\u{0}two"), ("secret\u{0}", "secret"), ("secret ", "secret"), ("é", "e\u{301}"),
            ("", "\u{0}"),
            (String(repeating: "k", count: 128), String(repeating: "k", count: 127)),
        ])
    func exactly(password: String, other: String) async throws {
        let hash = try stored(password)
        #expect(try await hasher.verify(password, against: hash).isMatch)
        #expect(try await !hasher.verify(other, against: hash).isMatch)
    }

    @Test("asks for a new hash where the stored one is weaker, and only when the password was right")
    func rehash() async throws {
        let weak = try stored("secret", logN: 12)
        #expect(try await hasher.verify("secret", against: weak) == .init(isMatch: true, needsRehash: true))
        #expect(try await hasher.verify("wrong", against: weak) == .init(isMatch: false, needsRehash: false))
    }

    @Test("takes as long for an account that does not exist, and never accepts")
    func unknown() async throws {
        let known = try await hasher.hash("secret")
        let start = ContinuousClock.now
        _ = try await hasher.verify("wrong", against: known)
        let middle = ContinuousClock.now
        #expect(try await hasher.verify("wrong", against: nil) == .init(isMatch: false, needsRehash: false))
        let (knownTime, unknownTime) = (middle - start, ContinuousClock.now - middle)
        // Coarse on purpose: what is checked is that the work is done at all.
        #expect(unknownTime > knownTime / 3)
    }

    @Test("tells a stored hash of another kind from a wrong password")
    func foreignHash() async throws {
        let error = try await #require(throws: ServiceError.self) { try await hasher.verify("secret", against: "$2b$12$zzz") }
        #expect(error.code == .internalError)
    }

    @Test("lets 32 wait, and refuses the next at once with a time to wait")
    func overload() async throws {
        // About a second of work holds the only place while the others come.
        let long = try stored("secret", logN: 10).replacingOccurrences(of: "ln=10,r=8,p=1", with: "ln=17,r=8,p=6")
        let short = try stored("secret")
        let first = Task { try await hasher.verify("secret", against: long) }
        try await becomesTrue { hasher.load.running == 1 }
        let waiting = (0..<32).map { _ in Task { try await hasher.verify("secret", against: short) } }
        try await becomesTrue { hasher.load.waiting == 32 }

        let started = ContinuousClock.now
        let error = try await #require(throws: ServiceError.self) { try await hasher.verify("secret", against: short) }
        #expect(ContinuousClock.now - started < .milliseconds(500))
        #expect(error.code == .overloaded && error.retryable && (error.retryAfter ?? .zero) >= .seconds(1))
        #expect(hasher.load.running == 1)

        for task in waiting { #expect(try await task.value.isMatch) }
        _ = try await first.value
        // The place is given back a moment after the last answer.
        try await becomesTrue { hasher.load.running == 0 }
        #expect(hasher.load.waiting == 0)
        #expect(try await hasher.verify("secret", against: short).isMatch)
    }

    private final class Crowd: Sendable {
        let inside = Mutex(0)
        let isOver = Mutex(false)
    }

    @Test("admits as many as may hash or wait, and refuses the next before anything was done for them")
    func admission() async throws {
        let crowd = Crowd()
        let hasher = hasher
        let admitted = (0..<hasher.width + PasswordHasher.queueLimit).map { _ in
            Task {
                try await hasher.admitting { () async throws(ServiceError) in
                    crowd.inside.withLock { $0 += 1 }
                    while !crowd.isOver.withLock(\.self) { try? await Task.sleep(for: .milliseconds(1)) }
                }
            }
        }
        try await becomesTrue { crowd.inside.withLock { $0 == hasher.width + PasswordHasher.queueLimit } }
        let error = await #expect(throws: ServiceError.self) {
            try await hasher.admitting { () async throws(ServiceError) in crowd.inside.withLock { $0 += 1 } }
        }
        #expect(error?.code == .overloaded && error?.retryAfter != nil)
        #expect(throws: ServiceError.self) { try hasher.requireRoom() }
        crowd.isOver.withLock { $0 = true }
        for task in admitted { try await task.value }
        try hasher.requireRoom()
        #expect(crowd.inside.withLock(\.self) == hasher.width + PasswordHasher.queueLimit)
        // Places are given back also by who fails.
        for _ in 0..<100 {
            await #expect(throws: ServiceError(.invalidCredentials)) {
                try await hasher.admitting { () async throws(ServiceError) in throw ServiceError(.invalidCredentials) }
            }
        }
    }

    @Test("computes as many at once as half the cores, one at least", arguments: [(1, 1), (2, 1), (3, 1), (4, 2), (9, 4)])
    func width(cores: Int, width: Int) {
        #expect(PasswordHasher(cores: cores).width == width)
    }

    @Test("lets wait who comes when all places are taken")
    func places() async throws {
        let hasher = PasswordHasher(cores: 4)
        let long = try stored("secret").replacingOccurrences(of: "ln=10,r=8,p=1", with: "ln=17,r=8,p=2")
        let first = (0..<2).map { _ in Task { try await hasher.verify("secret", against: long) } }
        try await becomesTrue { hasher.load.running == 2 }
        let last = Task { try await hasher.verify("secret", against: long) }
        try await becomesTrue { hasher.load.waiting == 1 }
        #expect(hasher.load.running == 2)
        for task in first + [last] { _ = try await task.value }
    }

    @Test("gives the memory back")
    func memory() async throws {
        _ = try await hasher.hash("warm up")
        try await becomesTrue { hasher.load.running == 0 }
        let before = try residentBytes()
        for _ in 0..<2 { _ = try await hasher.hash("secret") }
        try await becomesTrue { hasher.load.running == 0 }
        #expect(try residentBytes() - before < 48 << 20)
    }

    @Test("takes the memory from the kernel once for all that a thread hashes")
    func keptMemory() async throws {
        let faults = try await offPool {
            func faults() -> Int {
                var usage = rusage()
                // RUSAGE_THREAD, which the headers show only with _GNU_SOURCE.
                getrusage(1, &usage)
                return usage.ru_minflt
            }
            func hash() { _ = PasswordHash.deriveKey(password: [1], salt: [2], cost: .current) }
            copenssl_keep_working_memory(1)
            defer { copenssl_keep_working_memory(0) }
            hash()
            let before = faults()
            hash()
            return faults() - before
        }
        // The 128 MiB are 32,768 pages.
        #expect(faults < 3_000)
    }

    func residentBytes() throws -> Int {
        let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
        return try #require(Int(fields[1])) * 4096
    }
}
