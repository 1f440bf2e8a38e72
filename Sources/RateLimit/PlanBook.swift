package import PlaygroundCore
package import Postgres

/// The plans, and who has which: what an operator reads and changes. Whatever is changed here holds for the next admission on every
/// replica, because that reads it.
package final class PlanBook {
    private let database: PostgresClient

    package init(database: PostgresClient) { self.database = database }

    /// The plan that users have of themselves. The servers' environment says most of it.
    package static let defaultPlan = "default"

    /// Every plan, `default` first.
    package func plans() async throws(ServiceError) -> [PlanEntry] { try await entries(named: nil) }

    /// Throws `not_found`.
    package func plan(_ name: String) async throws(ServiceError) -> PlanEntry {
        guard let entry = try await entries(named: name).first else { throw Self.noPlan(name) }
        return entry
    }

    /// Makes a plan with the limits of `default` where there is none of this name, and changes it.
    ///
    /// Throws `invalid_request` for what the environment says of plan `default`: a server that starts would write it over again.
    /// - Returns: the plan as it is now.
    package func set(_ name: String, _ changes: LimitChanges) async throws(ServiceError) -> PlanEntry {
        let fixed = Limit.allCases.filter { $0.isOfEnvironment && changes.numbers[$0] != nil }.map(\.rawValue)
        if name == Self.defaultPlan, !fixed.isEmpty {
            throw ServiceError(
                .invalidRequest,
                "Of plan `default` the servers' environment variables say \(fixed.joined(separator: ", ")): change them there")
        }
        do throws(PostgresError) {
            _ = try await database.transaction(
                [
                    (PlanStatements.create, [.text(name)]),
                    (PlanStatements.change, [.text(name), .text(changes.overrides)]),
                ], lane: .slow, deadline: .seconds(10))
        } catch {
            throw error.serviceError
        }
        return try await plan(name)
    }

    /// Throws `not_found`, and `invalid_request` for `default` and for a plan that users have.
    package func delete(_ name: String) async throws(ServiceError) {
        if name == Self.defaultPlan { throw ServiceError(.invalidRequest, "Plan `default` cannot be deleted: new users have it") }
        do throws(PostgresError) {
            if try await database.execute(PlanStatements.delete, [.text(name)], lane: .slow).affected == 1 { return }
        } catch {
            // Somebody got the plan at this moment.
            guard error.state == .foreignKeyViolation else { throw error.serviceError }
        }
        let users = try await plan(name).users
        throw ServiceError(.invalidRequest, "Plan \(name) has \(users) users: assign them another one first")
    }

    /// Gives a user another plan; what was overridden for them stays. Throws `not_found` for a user or plan that does not exist.
    package func assign(_ name: String, to user: UserReference) async throws(ServiceError) -> UserLimits {
        let result: PostgresResult
        do throws(PostgresError) {
            result = try await database.execute(PlanStatements.assign, user.values + [.text(name)], lane: .slow)
        } catch {
            throw error.state == .foreignKeyViolation ? Self.noPlan(name) : error.serviceError
        }
        guard result.affected == 1 else { throw user.absence }
        return try await limits(of: user)
    }

    /// Changes what differs from the plan for one user. Throws `not_found`.
    /// - Parameter clearing: whether all that differed before is forgotten.
    package func override(_ user: UserReference, _ changes: LimitChanges, clearing: Bool) async throws(ServiceError) -> UserLimits
    {
        let result: PostgresResult
        do throws(PostgresError) {
            result = try await database.execute(
                PlanStatements.override,
                user.values + [.bool(clearing), .text(changes.overrides), .textArray(changes.inherited)], lane: .slow)
        } catch {
            throw error.serviceError
        }
        guard result.affected == 1 else { throw user.absence }
        return try await limits(of: user)
    }

    /// What holds for one user. Throws `not_found`.
    package func limits(of user: UserReference) async throws(ServiceError) -> UserLimits {
        let found: UserLimits?
        do throws(PostgresError) {
            let result = try await database.execute(PlanStatements.user, user.values, lane: .slow)
            found = result.isEmpty ? nil : try UserLimits(result)
        } catch {
            throw error.serviceError
        }
        guard let found else { throw user.absence }
        return found
    }

    private func entries(named name: String?) async throws(ServiceError) -> [PlanEntry] {
        do throws(PostgresError) {
            let result = try await database.execute(
                PlanStatements.list, [.text(name)], lane: .slow, deadline: .seconds(10))
            var entries: [PlanEntry] = []
            for row in result.rows {
                entries.append(
                    PlanEntry(
                        name: try result.string(row, 0), users: try result.int(row, 1),
                        limits: try PlanLimits(result, row: row, from: 2)))
            }
            return entries
        } catch {
            throw error.serviceError
        }
    }

    private static func noPlan(_ name: String) -> ServiceError { ServiceError(.notFound, "There is no plan \(name)") }
}

/// A plan as it stands in the book.
package struct PlanEntry: Sendable, Equatable {
    package let name: String
    /// How many have it.
    package let users: Int64
    package let limits: PlanLimits
}

/// A user as an operator names them.
package enum UserReference: Sendable, Equatable {
    case id(UserID)
    /// As accounts are known by it: ASCII letters in lower case.
    case email(String)

    /// $1 and $2 of the statements about one user.
    var values: [PostgresValue] {
        switch self {
        case .id(let id): [.uuid(id.uuid), .null]
        case .email(let address): [.null, .text(address)]
        }
    }

    var absence: ServiceError {
        switch self {
        case .id(let id): ServiceError(.notFound, "There is no user \(id)")
        case .email(let address): ServiceError(.notFound, "There is no user \(address)")
        }
    }
}

/// What holds for one user, and what of it differs from the plan.
package struct UserLimits: Sendable, Equatable {
    package let id: UserID
    package let email: String?
    package let plan: String
    /// A JSON object by the names of limits; null stands for one that is lifted.
    package let overrides: String
    /// The plan's, as overridden.
    package let limits: PlanLimits

    init(_ result: PostgresResult) throws(PostgresError) {
        id = UserID(try result.uuid(0, 0))
        email = try result.stringIfPresent(0, 1)
        plan = try result.string(0, 2)
        overrides = try result.string(0, 3)
        limits = try PlanLimits(result, row: 0, from: 4)
    }
}
