/// The models an upstream has: the name asked for and the name an answer gives.
struct ModelCatalogue: Sendable {
    /// The completion models of the recorded upstream, three chat models, two of which reason, and `m`, which loads use.
    /// Each speaks both dialects.
    static let usual = ModelCatalogue(
        names: ["gpt-3.5-turbo-instruct", "davinci-002", "babbage-002", "gpt-4o-mini", "gpt-5-mini", "o4-mini", "m"])

    let names: [String]

    /// - Parameter names: `*` among them takes any name.
    init(names: [String]) { self.names = names }

    /// The name in the answer, as it was recorded where it was; nil for an unknown model.
    func resolve(_ name: String) -> String? {
        guard names.contains(name) || names.contains("*") else { return nil }
        switch name {
        case "gpt-3.5-turbo-instruct": return "gpt-3.5-turbo-instruct:20230824-v2"
        case "davinci-002": return "davinci:2023-07-21-v2"
        case "babbage-002": return "babbage:2023-07-21-v2"
        case "gpt-4o-mini": return "gpt-4o-mini-2024-07-18"
        case "gpt-5-mini": return "gpt-5-mini-2025-08-07"
        case "o4-mini": return "o4-mini-2025-04-16"
        default: return name
        }
    }

    /// Whether a model is one of those that refuse sampling parameters in chats.
    func isReasoning(_ name: String) -> Bool { name == "gpt-5-mini" || name == "o4-mini" }
}
