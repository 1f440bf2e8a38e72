import ArgumentParser
import PlaygroundCore
import RateLimit
import StrictJSON

struct PriceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "price", abstract: "What tokens cost.", subcommands: [PriceSetCommand.self, PriceListCommand.self])
}

struct PriceSetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Set a model's prices from a moment on.",
        discussion: """
            \(OperatorDatabase.need) Prices are for a million tokens, with up to six decimals, in a currency of your own. A completion \
            costs what was in force for the model it asked for when it was admitted, and its bill never changes. So a price from \
            the past alters no bill that is written; it counts for completions that are billed from now on and were admitted \
            since then. A price of the same model and moment is replaced.
            """)

    @Option(help: "The model as requests name it; * for all that have no price of their own.")
    var model: String
    @Option(help: "A million tokens of prompts.")
    var prompt: TokenPrice
    @Option(help: "A million tokens of completions.")
    var completion: TokenPrice
    @Option(help: "A million of the prompts' tokens that the upstream had cached; as --prompt where absent.")
    var cached: TokenPrice?
    @Option(help: "A million of the completions' tokens that were thought and not said; as --completion where absent.")
    var reasoning: TokenPrice?
    @Option(help: "From when on, as 2026-12-01T00:00:00Z; now where absent.")
    var from: Timestamp?

    func run() async throws {
        let price: ModelPrice
        do {
            price = try ModelPrice(
                model: model, validFrom: from, prompt: prompt, completion: completion, cached: cached, reasoning: reasoning)
        } catch {
            throw CommandFailure(error)
        }
        let written = try await OperatorDatabase.run { database in try await PriceBook(database: database).set(price) }
        StandardOutput.line("\(price.model): in force from \(written.validFrom)")
        if written.isPast { StandardOutput.line("that is in the past: bills already written stay as they are") }
    }
}

struct PriceListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show all prices, for a million tokens each.",
        discussion: "\(OperatorDatabase.need) An asterisk at the end marks what is in force.")

    @Flag(help: "For programs.")
    var json = false

    func run() async throws {
        let prices = try await OperatorDatabase.run { database in try await PriceBook(database: database).prices() }
        if json { return StandardOutput.line(Self.json(prices)) }
        var table = TextTable()
        table.add("model", "from", "prompt", "completion", "cached", "reasoning", "in force")
        for (price, isInForce) in prices {
            let figures = [price.prompt, price.completion, price.cached, price.reasoning].map { $0?.description ?? "-" }
            table.add([price.model, price.validFrom?.description ?? ""] + figures + [isInForce ? "*" : ""])
        }
        StandardOutput.line(table.text)
    }

    /// Decimals as strings, because binary numbers would round them.
    private static func json(_ prices: [(price: ModelPrice, isInForce: Bool)]) -> String {
        var writer = JSONWriter()
        writer.array { writer in
            for (price, isInForce) in prices {
                writer.object { writer in
                    writer.member("model", price.model)
                    writer.member("from", price.validFrom)
                    writer.member("prompt", price.prompt.description)
                    writer.member("completion", price.completion.description)
                    writer.memberOrNull("cached", price.cached?.description)
                    writer.memberOrNull("reasoning", price.reasoning?.description)
                    writer.member("in_force", isInForce)
                }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

extension TokenPrice: ExpressibleByArgument {
    init?(argument: String) { self.init(argument) }
}

extension Timestamp: ExpressibleByArgument {
    init?(argument: String) {
        guard let moment = Timestamp(argument), moment.microseconds >= 0 else { return nil }
        self = moment
    }
}
