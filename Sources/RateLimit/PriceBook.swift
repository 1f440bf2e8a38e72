package import PlaygroundCore
package import Postgres

/// What a million tokens cost: a decimal with at most 14 digits before the point and six behind it, kept as it was written.
package struct TokenPrice: Sendable, Hashable, LosslessStringConvertible {
    package let description: String

    /// Digits, perhaps with a point and up to six more; nil for anything else.
    package init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        let isNumber = parts.allSatisfy { part in !part.isEmpty && part.allSatisfy { $0 &- UInt8(ascii: "0") < 10 } }
        guard isNumber, let whole = parts.first, whole.count <= 14, parts.count == 1 || parts[1].count <= 6 else { return nil }
        description = text
    }
}

/// A model's price from some moment on.
package struct ModelPrice: Sendable, Equatable {
    /// The name that stands for every model without a price of its own.
    package static let anyModel = "*"
    /// The longest name, in scalars; what a request may name is no longer.
    package static let modelLimit = 200

    package let model: String
    /// Nil for the moment it is written.
    package var validFrom: Timestamp?
    package let prompt: TokenPrice
    package let completion: TokenPrice
    /// Nil where cached tokens cost what others of the prompt do.
    package let cached: TokenPrice?
    /// Nil where thoughts cost what other tokens of the completion do.
    package let reasoning: TokenPrice?

    /// Throws `invalid_request` where the model is no name.
    package init(
        model: String, validFrom: Timestamp? = nil, prompt: TokenPrice, completion: TokenPrice, cached: TokenPrice? = nil,
        reasoning: TokenPrice? = nil
    ) throws(ServiceError) {
        guard 1...Self.modelLimit ~= model.unicodeScalars.count, !model.utf8.contains(0) else {
            let range = "1 to \(Self.modelLimit) characters"
            throw ServiceError(fields: [FieldError("model", .invalidValue, "model has to be a name of \(range), or *")])
        }
        self.model = model
        self.validFrom = validFrom
        self.prompt = prompt
        self.completion = completion
        self.cached = cached
        self.reasoning = reasoning
    }
}

/// The prices in the database. A completion costs what was in force when it was admitted; once it is billed, nothing here alters
/// its bill. All calls throw `database_unavailable`.
package final class PriceBook {
    private let database: PostgresClient

    package init(database: PostgresClient) {
        self.database = database
    }

    /// Writes a price, in place of one of the same model and moment.
    /// - Returns: from when it is in force, and whether that was before now.
    package func set(_ price: ModelPrice) async throws(ServiceError) -> (validFrom: Timestamp, isPast: Bool) {
        let values: [PostgresValue] = [
            .text(price.model), .text(price.prompt.description), .text(price.completion.description),
            .text(price.cached?.description), .text(price.reasoning?.description), .int(price.validFrom?.microseconds),
        ]
        do throws(PostgresError) {
            let row = try await database.execute(PriceStatements.set, values)
            return (Timestamp(microseconds: try row.int(0, 0)), try row.bool(0, 1))
        } catch {
            throw error.serviceError
        }
    }

    /// All prices, each model's from the first to the last, and whether it is the one in force.
    package func prices() async throws(ServiceError) -> [(price: ModelPrice, isInForce: Bool)] {
        let result: PostgresResult
        do throws(PostgresError) {
            result = try await database.execute(PriceStatements.list, [], lane: .slow)
        } catch {
            throw error.serviceError
        }
        var prices: [(price: ModelPrice, isInForce: Bool)] = []
        for row in result.rows {
            let model: String
            let validFrom: Timestamp
            var figures: [TokenPrice?] = []
            let isInForce: Bool
            do throws(PostgresError) {
                model = try result.string(row, 0)
                validFrom = Timestamp(microseconds: try result.int(row, 1))
                for column in 2...5 { figures.append(try result.stringIfPresent(row, column).flatMap { TokenPrice($0) }) }
                isInForce = try result.bool(row, 6)
            } catch {
                throw error.serviceError
            }
            guard let prompt = figures[0], let completion = figures[1] else {
                throw ServiceError(.internalError, cause: "a price of \(model) is no decimal")
            }
            let price = try ModelPrice(
                model: model, validFrom: validFrom, prompt: prompt, completion: completion, cached: figures[2],
                reasoning: figures[3])
            prices.append((price, isInForce))
        }
        return prices
    }
}
