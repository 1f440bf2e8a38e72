import Foundation
import TestSupport
import Testing

extension DatabaseTests {
    /// The limiter that runs against the one that is meant: random operations of several users with and without limits, under
    /// changing plans, over the ends of days and a month, with settlements above and below what was reserved, dead processes that
    /// speak after all, voids, duplicates and batches. Every verdict, wait, level and count has to agree to the unit.
    @Suite("The limiter beside its model")
    struct LimiterComparisonTests {
        /// Operations of one sequence.
        private static let steps = ProcessInfo.processInfo.environment["LEDGER_STEPS"].flatMap { Int($0) } ?? 400

        @Test("agrees to the unit on whatever happens; LEDGER_SEEDS repeats one", arguments: LimiterModelTests.seeds)
        func agreement(seed: UInt64) async throws {
            let violations = try await offPool {
                var operations = LimiterOperations(seed: seed, users: 6)
                var comparison = try LimiterComparison(&operations)
                return comparison.violations(&operations, steps: Self.steps)
            }
            #expect(violations.isEmpty, "LEDGER_SEEDS=\(seed): \(violations.joined(separator: "\n"))")
        }

        @Test(
            "finds a fault that is planted",
            arguments: [PlantedFault.lostSettlement, .lostRefund, .slotFreedTwice, .repeatedID, .voidByID, .lostDay])
        func plantedFault(fault: PlantedFault) async throws {
            let isFound = try await offPool {
                for seed in LimiterModelTests.seeds {
                    var operations = LimiterOperations(seed: seed, users: 6)
                    var comparison = try LimiterComparison(&operations, fault: fault)
                    if !comparison.violations(&operations, steps: Self.steps).isEmpty { return true }
                }
                return false
            }
            #expect(isFound)
        }

        @Test("keeps a record that follows from itself to the unit, while many work for the same users", arguments: 1...3)
        func record(seed: UInt64) async throws {
            let violations = try await offPool { try BusyDatabase().violations(seed: seed) }
            #expect(violations.isEmpty, "\(violations.prefix(10).joined(separator: "\n"))")
        }

        @Test(
            "has a record that shows a fault that is planted",
            arguments: [PlantedFault.lostSettlement, .slotFreedTwice, .lostRefund])
        func faultInRecord(fault: PlantedFault) async throws {
            let violations = try await offPool { try BusyDatabase(fault: fault).violations(seed: 1) }
            #expect(!violations.isEmpty)
        }

        @Test("of many that have looked at one row at the same moment admits as many as have room")
        func crowd() async throws {
            let violations = try await offPool { try CrowdedRow.violations() }
            #expect(violations.isEmpty, "\(violations)")
        }

        @Test("finds a check outside the lock")
        func checkOutsideLock() async throws {
            let violations = try await offPool { try CrowdedRow.violations(fault: .checkOutside) }
            #expect(!violations.isEmpty)
        }

        @Test("a twin that was admitted and settled while its batch waited for somebody else's row is not admitted again")
        func lateTwin() async throws {
            let violations = try await offPool { try LateTwin.violations() }
            #expect(violations.isEmpty, "\(violations)")
        }

        @Test("finds a twin that is not looked for again")
        func unseenTwin() async throws {
            let violations = try await offPool { try LateTwin.violations(fault: .unseenTwin) }
            #expect(!violations.isEmpty)
        }
    }
}
