import HTTPClient
import PlaygroundCore
import Streaming

extension Configuration {
    /// One place where completions come from.
    struct Upstream: Sendable {
        var description = UpstreamDescription()
        var origin: Origin
        /// Sent as a bearer token; nil for an upstream that wants none.
        var key: Secret?
        /// Sent with every request, beside what the protocol needs. Their values may be secret.
        var headers: [(name: String, value: String)] = []
        /// How long it may take over the parts of an answer.
        var timeouts = ExchangeTimeouts()
    }

    /// What every client has to be prepared for: of each time-out the longest that an upstream has.
    var longestTimeouts: UpstreamTimeouts {
        let times = upstreams.map(\.allowedTimes)
        return times.dropFirst().reduce(times.first ?? UpstreamTimeouts()) { $0.longest($1) }
    }

    /// Whether the upstreams are the same but for what they are authenticated to with.
    func hasUpstreams(of other: Configuration) -> Bool {
        upstreams.elementsEqual(other.upstreams) { $0.description == $1.description && $0.origin == $1.origin }
    }

    /// The upstreams of `UPSTREAMS_FILE`, or the one that the variables describe; empty where a complaint was made.
    static func upstreams(_ environment: inout Environment) -> [Upstream] {
        let timeouts = UpstreamTimeouts(&environment)
        guard let path = environment.text("UPSTREAMS_FILE") else { return single(&environment, timeouts).map { [$0] } ?? [] }
        for name in [
            "UPSTREAM_URL", "UPSTREAM_API_KEY", "UPSTREAM_API_KEY_FILE", "UPSTREAM_KIND", "UPSTREAM_REQUESTS_PER_MINUTE",
            "UPSTREAM_TOKENS_PER_MINUTE",
        ]
        where environment.text(name) != nil {
            environment.complain("\(name) and UPSTREAMS_FILE are both set: the file says it for each upstream")
        }
        let file = UpstreamsFile.read(path: path, timeouts: timeouts, files: environment.files)
        environment.files = file.files
        for complaint in file.complaints { environment.complain(complaint) }
        return file.entries
    }

    /// The upstream that `UPSTREAM_URL` and its companions describe.
    private static func single(_ environment: inout Environment, _ timeouts: UpstreamTimeouts) -> Upstream? {
        let kind = environment.choice("UPSTREAM_KIND", .completion, ["completion": UpstreamKind.completion, "chat": .chat])
        let origin = origin(&environment)
        let key = environment.requiredSecret(
            "UPSTREAM_API_KEY", "the key that the upstream expects; or several upstreams by UPSTREAMS_FILE")
        if !key.isEmpty, let complaint = UpstreamsFile.complaint(about: key, in: "Authorization") {
            environment.complain("UPSTREAM_API_KEY \(complaint)")
        }
        guard let origin else { return nil }
        var description = UpstreamDescription(kind: kind)
        let rates = UpstreamsFile.Limits.perMinute
        let range = Int(rates.lowerBound)...Int(rates.upperBound)
        description.requestsPerMinute = environment.optionalInteger("UPSTREAM_REQUESTS_PER_MINUTE", in: range)
        description.tokensPerMinute = environment.optionalInteger("UPSTREAM_TOKENS_PER_MINUTE", in: range)
        return Upstream(description, origin: origin, key: Secret(key), allowing: timeouts)
    }

    private static func origin(_ environment: inout Environment) -> Origin? {
        let text = environment.text("UPSTREAM_URL") ?? "https://api.openai.com/v1"
        do {
            return try Origin(baseURL: text)
        } catch {
            environment.complain("UPSTREAM_URL has to be an http or https URL without credentials, query or fragment: \(error)")
            return nil
        }
    }

    /// The models that requests may name: all of them, and the one of a request that names none, are had by an upstream.
    static func models(_ environment: inout Environment, of upstreams: [Upstream]) -> ModelPolicy {
        let model = environment.text("UPSTREAM_MODEL") ?? "gpt-3.5-turbo-instruct"
        let listed = environment.text("ALLOWED_MODELS")
        let names = listed.map { Set($0.split(separator: ",").map(\.trimmed).filter { !$0.isEmpty }) }
        let policy = ModelPolicy(
            defaultModel: model,
            allowed: listed == "*"
                ? nil : names ?? upstreams.reduce(into: [model]) { $0.formUnion($1.description.models ?? []) })
        // Without upstreams there is a complaint already.
        guard !upstreams.isEmpty else { return policy }
        func isServed(_ model: String) -> Bool { upstreams.contains { $0.description.has(model: model) } }
        if !isServed(model) {
            environment.complain("UPSTREAM_MODEL is \(model), which no upstream of UPSTREAMS_FILE has")
        }
        for name in (policy.allowed ?? []).sorted() where name != model && !isServed(name) {
            environment.complain("ALLOWED_MODELS has \(name), which no upstream of UPSTREAMS_FILE has")
        }
        return policy
    }
}

extension Configuration.Upstream: CustomDebugStringConvertible, CustomReflectable {
    /// Its name alone: no dump of the configuration shows what is sent to authenticate.
    var debugDescription: String { description.name }
    var customMirror: Mirror { Mirror(self, children: []) }
}
