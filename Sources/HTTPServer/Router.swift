public import HTTPTypes

/// Paths and methods to whatever answers them. A pattern is literal segments and at most a few `{parameters}`.
///
/// Public although nothing leaves the package: generic functions are specialized across modules only where they are public and
/// inlinable, and unspecialized ones made finding a route cost 3,000 instructions, a fifth of a small answer.
public struct Router<Endpoint> {
    /// What a request's path and method lead to.
    public enum Match {
        /// `parameters` are the decoded segments in the order of the pattern.
        case endpoint(Endpoint, parameters: [String])
        case notFound
        /// The path exists, the method does not: the allowed ones, for the Allow field.
        case methodNotAllowed([HTTPRequest.Method])
    }

    @usableFromInline enum Segment: Equatable {
        case literal(String)
        case parameter
    }

    @usableFromInline struct Route {
        @usableFromInline let segments: [Segment]
        @usableFromInline var endpoints: [(method: HTTPRequest.Method, endpoint: Endpoint)]

        @inlinable init(segments: [Segment]) {
            self.segments = segments
            endpoints = []
        }
    }

    @usableFromInline var routes: [Route]
    /// Patterns without parameters, by their segments joined: most requests end here.
    @usableFromInline var literals: [String: Int]

    /// A router without routes.
    @inlinable public init() {
        routes = []
        literals = [:]
    }

    /// - Parameter pattern: such as `/api/presets/{id}`. Registering a method twice is a programming error.
    @inlinable public mutating func add(_ method: HTTPRequest.Method, _ pattern: String, _ endpoint: Endpoint) {
        let segments = pattern.split(separator: "/").map { $0.hasPrefix("{") ? Segment.parameter : .literal(String($0)) }
        let index = routes.firstIndex { $0.segments == segments } ?? routes.count
        if index == routes.count { routes.append(Route(segments: segments)) }
        precondition(!routes[index].endpoints.contains { $0.method == method }, "\(method) \(pattern) twice")
        routes[index].endpoints.append((method, endpoint))
        if !segments.contains(.parameter) { literals[pattern] = index }
    }

    /// Every registered method and pattern.
    @inlinable public var table: [(method: HTTPRequest.Method, pattern: String)] {
        routes.flatMap { route in
            let pattern = route.segments.map { if case .literal(let text) = $0 { "/" + text } else { "/{}" } }.joined()
            return route.endpoints.map { ($0.method, pattern) }
        }
    }

    /// - Parameters:
    ///   - path: as sent, when it has no percent-escape; used for the quick look-up.
    ///   - segments: the decoded segments; asked for only where the quick look-up fails.
    @inlinable public func match(_ method: HTTPRequest.Method, path: String, segments: () -> [String]) -> Match {
        if let index = literals[path] { return match(method, routes[index], []) }
        let segments = segments()
        for route in routes where route.segments.count == segments.count {
            var parameters: [String] = []
            let fits = zip(route.segments, segments).allSatisfy { pattern, segment in
                switch pattern {
                case .literal(let text): return text == segment
                case .parameter:
                    parameters.append(segment)
                    return !segment.isEmpty
                }
            }
            if fits { return match(method, route, parameters) }
        }
        return .notFound
    }

    @inlinable func match(_ method: HTTPRequest.Method, _ route: Route, _ parameters: [String]) -> Match {
        for (candidate, endpoint) in route.endpoints where candidate == method {
            return .endpoint(endpoint, parameters: parameters)
        }
        // HEAD is GET whose body is not sent (RFC 9110, 9.3.2).
        if method == .head {
            for (candidate, endpoint) in route.endpoints where candidate == .get {
                return .endpoint(endpoint, parameters: parameters)
            }
        }
        var allowed = route.endpoints.map(\.method)
        if allowed.contains(.get) { allowed.append(.head) }
        return .methodNotAllowed(allowed + [.options])
    }
}
