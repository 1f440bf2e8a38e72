import TestSupport
import Testing

extension DatabaseTests {
    /// The limiter that runs against the one that is meant: random operations of several users with and without limits, under
    /// changing plans, over the ends of days and a month, with settlements above and below what was reserved, dead processes that
    /// speak after all, voids, duplicates and batches. Every verdict, wait, level and count has to agree to the unit.
    @Suite("The limiter beside its model")
    struct LimiterComparisonTests {
        private static let steps = 400

        @Test("agrees to the unit on whatever happens; LEDGER_SEED repeats one", arguments: LimiterModelTests.seeds)
        func agreement(seed: UInt64) async throws {
            let violations = try await offPool {
                var operations = LimiterOperations(seed: seed, users: 6)
                var comparison = try LimiterComparison(&operations)
                return comparison.violations(&operations, steps: Self.steps)
            }
            #expect(violations.isEmpty, "LEDGER_SEED=\(seed): \(violations.joined(separator: "\n"))")
        }

        @Test(
            "finds a fault that is planted",
            arguments: [PlantedFault.lostSettlement, .slotFreedTwice, .repeatedCharge, .lostDay])
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
    }
}
