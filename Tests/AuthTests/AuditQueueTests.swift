import PlaygroundCore
import Testing

@testable import Auth

@Suite("The queue of audit events")
struct AuditQueueTests {
    private var queue = AuditQueue()
    private var ids: UInt64 = 0

    private static func origin(_ address: String = "192.0.2.1") -> AuditOrigin {
        AuditOrigin(address: address, userAgent: "test", requestID: RequestID(UUIDBytes(high: 1, low: 2)))
    }

    private static func failure(_ name: String, from address: String = "192.0.2.1") throws -> AuditEvent {
        AuditEvent(.login, .failed, of: .address(try EmailAddress(parsing: "\(name)@example.com")), from: origin(address))
    }

    private mutating func add(_ event: AuditEvent, now: Int64 = 0) -> Int {
        ids += 1
        return queue.add(event, id: UUIDBytes(high: 0, low: ids), now: now)
    }

    @Test("has a row for each success")
    mutating func successes() throws {
        for _ in 0..<3 {
            #expect(add(AuditEvent(.login, of: .user(Samples.user), from: Self.origin())) == 0)
        }
        #expect(queue.take().map(\.count) == [1, 1, 1])
        #expect(queue.isEmpty && queue.nextEnd == nil)
    }

    @Test("writes the first of like refusals at once, and over it how many they were when its minute is over")
    mutating func gathering() throws {
        for now in Int64(0)..<50 { #expect(try add(Self.failure("ann"), now: now) == 0) }
        let first = queue.take()
        #expect(first.map(\.count) == [1])
        queue.finished()
        #expect(queue.endWindows(now: AuditQueue.window - 1) == 0 && queue.isEmpty)
        #expect(queue.nextEnd == AuditQueue.window)
        #expect(queue.endWindows(now: AuditQueue.window) == 0)
        let last = queue.take()
        #expect(last.map(\.id) == first.map(\.id))
        #expect(last.map(\.count) == [50] && last.map(\.lastAt) == [49] && last.map(\.at) == [0])
        #expect(queue.nextEnd == nil)

        // One that stayed alone is not written twice.
        #expect(try add(Self.failure("ann"), now: 100_000_000) == 0)
        #expect(queue.take().count == 1)
        #expect(queue.endWindows(now: 200_000_000) == 0 && queue.isEmpty)
    }

    @Test("tells accounts, places and outcomes apart; what was throttled goes by its place alone, the /56 of IPv6")
    mutating func likeness() throws {
        let throttled = { (name: String, address: String) in
            AuditEvent(
                .login, .throttled, of: .address(try EmailAddress(parsing: "\(name)@example.com")), from: Self.origin(address))
        }
        let events = try [
            Self.failure("ann"), Self.failure("bob"), Self.failure("ann", from: "192.0.2.2"), throttled("ann", "192.0.2.1"),
            throttled("ann", "2001:db8::1"),
        ]
        for event in events { #expect(add(event) == 0) }
        let alike = try [
            Self.failure("ann"), throttled("bob", "192.0.2.1"), throttled("eve", "2001:db8:0:ff::2"),
            throttled("eve", "::ffff:192.0.2.1"),
        ]
        for event in alike { #expect(add(event) == 0) }
        let rows = queue.take()
        #expect(rows.count == events.count)
        #expect(rows[3].event.subject == .unnamed)
        #expect(queue.endWindows(now: 0, all: true) == 0)
        #expect(queue.take().map(\.count).sorted() == [2, 2, 3])
    }

    @Test("opens a hundred rows of refusals a minute, and counts what goes beyond in one row that names nobody")
    mutating func flood() throws {
        for number in 0..<5_000 {
            #expect(try add(Self.failure("user\(number)", from: "10.0.\(number / 250).\(number % 250)"), now: 1) == 0)
        }
        let rows = queue.take()
        #expect(rows.count == AuditQueue.highestWindows + 1)
        let rest = try #require(rows.last)
        #expect(rest.event.subject == .unnamed && rest.event.origin == .operation && rest.event.kind == .login)
        #expect(queue.endWindows(now: 100_000_000) == 0)
        #expect(queue.take().map(\.count) == [Int64(5_000 - AuditQueue.highestWindows)])
        #expect(try add(Self.failure("ann"), now: 100_000_000) == 0)
        #expect(queue.take().count == 1, "the next minute has room again")
    }

    @Test("is bounded, and says what it loses")
    mutating func bound() {
        queue = AuditQueue(capacity: 10)
        let event = AuditEvent(.login, of: .user(Samples.user), from: Self.origin())
        #expect((0..<15).map { _ in add(event) }.reduce(0, +) == 5)
        let batch = queue.take()
        #expect(batch.count == 10)
        #expect((0..<4).map { _ in add(event) }.reduce(0, +) == 0)
        #expect(queue.failed(batch, isPoison: false) == 4)
        #expect(queue.count == 10)
        #expect(queue.take().prefix(6) == batch.prefix(6), "oldest first")
    }

    @Test("tries halves of what the database refuses, and gives up the one row that is to blame")
    mutating func poison() {
        let event = AuditEvent(.login, of: .user(Samples.user), from: Self.origin())
        for _ in 0..<8 { #expect(add(event) == 0) }
        let bad = UUIDBytes(high: 0, low: 3)
        var (lost, written): (Int, [UInt64]) = (0, [])
        while !queue.isEmpty {
            let batch = queue.take()
            if batch.contains(where: { $0.id == bad }) {
                lost += queue.failed(batch, isPoison: true)
            } else {
                written += batch.map(\.id.low)
                queue.finished()
            }
        }
        #expect(lost == 1)
        #expect(written == [1, 2, 4, 5, 6, 7, 8])
    }

    @Test("holds nothing of a client that a terminal or a line could obey, and not more of it than fits")
    func texts() {
        let origin = AuditOrigin(
            address: "fe80::1%\u{1B}eth0", userAgent: "a\r\n\u{1B}[31m\u{202E}\u{2028}é" + String(repeating: "😀", count: 100),
            requestID: RequestID(UUIDBytes(high: 1, low: 2)))
        let agent = origin.userAgent ?? ""
        #expect(agent.hasPrefix("a\u{FFFD}\u{FFFD}\u{FFFD}[31m\u{FFFD}\u{FFFD}é😀"))
        #expect((250...256).contains(agent.utf8.count))
        #expect(origin.address == "fe80::1%\u{FFFD}eth0" && origin.place == "fe80::")
        let event = AuditEvent(.login, from: origin, detail: String(repeating: "x", count: 1_000))
        #expect(event.detail?.utf8.count == AuditEvent.detailLimit)
    }
}
