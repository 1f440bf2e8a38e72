/// The models an upstream has: the name asked for and the name an answer gives.
struct ModelCatalogue: Sendable {
    /// The completion models of the recorded upstream, and `m`, which loads use.
    static let usual = ModelCatalogue(names: ["gpt-3.5-turbo-instruct", "davinci-002", "babbage-002", "m"])

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
        default: return name
        }
    }
}
