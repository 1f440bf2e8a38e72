import EventLoop
import Logging
import PlaygroundCore
import Postgres
import StrictJSON
import TestSupport
import Testing

@testable import RateLimit

extension DatabaseTests {
    @Suite("What an owner may ask about a completion")
    struct CompletionLedgerTests {
        /// Everything that can be told of no completion of this user.
        private func expectNothing(_ replica: Replica, _ id: CompletionID, of user: UserID) async throws {
            let request = StopRequest(completionID: id, userID: user)
            #expect(try await replica.onLedger { try await $0.requestStop(request) } == false)
            await #expect(throws: ServiceError(.notFound)) { try await replica.onLedger { try await $0.record(id, of: user) } }
        }

        @Test("a stop is written once, told to all who listen, and taken again while it runs; after the end it finds nothing")
        func stop() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let (replica, other) = (try await Replica(database), try await Replica(database))
            let attempt = try await replica.reserve(user)
            let request = StopRequest(completionID: attempt.id, userID: user)
            let heard = try await withLoop { loop in
                var isListening = false
                var heard: [StopRequest?] = []
                let subscription = PostgresListener.Subscription(
                    channel: StopRequest.channel, onConnected: { isListening = true },
                    onNotification: { heard.append(StopRequest(payload: $0)) })
                let listener = PostgresListener(
                    configuration: try database.configuration(), subscriptions: [subscription], io: loop.io,
                    logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
                #expect(await loop.io.wait { isListening })
                #expect(try await other.onLedger { try await $0.requestStop(request) })
                #expect(await loop.io.wait { heard.count == 1 })
                listener.close()
                return heard
            }
            #expect(heard == [request])
            let since = try database.value("select stop_requested_at from reservations")
            #expect(since != nil)
            #expect(try await other.onLedger { try await $0.requestStop(request) })
            #expect(try database.value("select stop_requested_at from reservations") == since)
            try await replica.settle(attempt.id, tokens: 1, outcome: .stopped)
            #expect(try await replica.settled())
            #expect(try await other.onLedger { try await $0.requestStop(request) } == false)
        }

        @Test("who reports a completion's numbers is told that its owner wants it stopped, each time until it is settled")
        func report() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database)
            let (stopped, running) = (try await replica.reserve(user), try await replica.reserve(user))
            let numbers = [(stopped.id, 1, 2), (running.id, 1, 2)]
            #expect(try await replica.report(numbers, seconds: 2).isEmpty)
            let request = StopRequest(completionID: stopped.id, userID: user)
            #expect(try await replica.onLedger { try await $0.requestStop(request) })
            #expect(try await replica.report(numbers, seconds: 5) == [request])
            #expect(try await replica.report(numbers, seconds: 5) == [request])
            try await replica.settle(stopped.id, tokens: 1, outcome: .stopped)
            #expect(try await replica.settled())
            #expect(try await replica.report(numbers, seconds: 5).isEmpty)
        }

        @Test("there is nothing of what is somebody else's, unknown, refused or forbidden")
        func nothing() async throws {
            let database = try LimitsDatabase()
            let (user, stranger) = (try database.makeUser(), try database.makeUser())
            let replica = try await Replica(database, plan: Plan(concurrentStreams: 1))
            let attempt = try await replica.reserve(user)
            let (refused, void) = (try await replica.reserve(user), CompletionID(randomUUID()))
            #expect(!refused.isAdmitted)
            try await replica.undo(
                ReservationRequest(
                    completionID: void, userID: user, sessionID: nil, promptTokens: 1, maxTokens: 1, model: "m"))
            #expect(try await replica.settled())
            try await expectNothing(replica, attempt.id, of: stranger)
            for id in [CompletionID(randomUUID()), refused.id, void] { try await expectNothing(replica, id, of: user) }
            try await replica.settle(attempt.id, tokens: 1)
            #expect(try await replica.settled())
            try await expectNothing(replica, attempt.id, of: stranger)
            #expect(try database.value("select count(*) from reservations where stop_requested_at is not null") == "0")
        }

        @Test("while it runs the last report is told, and from its end on the bill")
        func record() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let (replica, other) = (try await Replica(database), try await Replica(database))
            let attempt = try await replica.reserve(user, cost: 100)
            let read: @Sendable () async throws -> CompletionRecord = {
                try await other.onLedger { try await $0.record(attempt.id, of: user) }
            }
            var record = try await read()
            #expect(record.status == "running" && record.process == replica.process && record.model == "m")
            #expect(record.usage == Usage(promptTokens: 0, completionTokens: 0, source: .estimated, maxTokensApplied: 1))
            #expect(record.finishedAt == nil && record.finishReason == nil && record.presetID == nil)
            _ = try await replica.report([(attempt.id, 3, 4)], seconds: 2)
            record = try await read()
            #expect(record.usage == Usage(promptTokens: 3, completionTokens: 4, source: .estimated, maxTokensApplied: 1))
            let started = record.startedAt

            let usage = Usage(promptTokens: 5, completionTokens: 6, source: .exact, maxTokensApplied: 1)
            let settlement = Settlement(
                completionID: attempt.id, usage: usage, outcome: .stopped, finishReason: "stopped", model: "m-1")
            // What is about to be written reads like what was written, but for the time.
            record.update(settlement)
            try await replica.onLimiter { limiter in
                limiter.settle(settlement)
                #expect(limiter.pendingSettlement(of: attempt.id)?.usage == usage)
            }
            #expect(try await replica.settled())
            #expect(try await replica.onLimiter { $0.pendingSettlement(of: attempt.id) == nil })
            let bill = try await read()
            #expect(bill.status == record.status && bill.usage == record.usage && bill.model == record.model)
            #expect(bill.finishReason == record.finishReason && bill.startedAt == started)
            #expect(bill.process == nil && (bill.finishedAt.map { $0 > started } ?? false))
        }

        @Test("what a replica from before has written lacks `max_tokens`, is settled as ever, and is told without it")
        func oldReplica() async throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let replica = try await Replica(database)
            let attempt = try await replica.reserve(user)
            // As its INSERT leaves the row.
            try database.run("update reservations set max_tokens = null, stop_requested_at = null")
            let running = try await replica.onLedger { try await $0.record(attempt.id, of: user) }
            #expect(running.jsonText.contains(#""source":"estimated"}"#))
            try await replica.settle(attempt.id, tokens: 7)
            #expect(try await replica.settled())
            #expect(try database.run("select prompt_tokens, max_tokens_applied from usage") == [["7", nil]])
            let bill = try await replica.onLedger { try await $0.record(attempt.id, of: user) }
            let usage = #""usage":{"prompt_tokens":7,"completion_tokens":0,"total_tokens":7,"source":"exact"}}"#
            #expect(bill.jsonText.hasSuffix(usage))
        }
    }

    @Suite("A wish to stop, as replicas tell it")
    struct StopRequestTests {
        @Test("is two ids; anything else on the channel is passed over")
        func payloads() {
            let (id, user) = (CompletionID(randomUUID()), UserID(randomUUID()))
            #expect(StopRequest(payload: "\(id) \(user)") == StopRequest(completionID: id, userID: user))
            for payload in ["", " ", "\(id)", "\(id) ", "\(id)  \(user)", "\(id) \(user) ", "x \(user)", "\(id) x"] {
                #expect(StopRequest(payload: payload) == nil, "\(payload)")
            }
        }
    }
}

extension CompletionRecord {
    fileprivate var jsonText: String {
        var writer = JSONWriter()
        write(to: &writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
