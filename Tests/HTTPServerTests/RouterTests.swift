import HTTPTypes
import Testing

@testable import HTTPServer

@Suite("The router")
struct RouterTests {
    private static var router: Router<String> {
        var router = Router<String>()
        router.add(.get, "/api/presets", "list")
        router.add(.post, "/api/presets", "create")
        router.add(.get, "/api/presets/{id}", "read")
        router.add(.delete, "/api/presets/{id}", "delete")
        router.add(.post, "/api/presets/search", "search")
        router.add(.post, "/api/users/{user}/sessions/{session}", "end")
        router.add(.get, "/", "root")
        return router
    }

    /// As the edge does it: the raw path, and its decoded segments when they are asked for.
    private static func answer(_ method: HTTPRequest.Method, _ path: String) -> String {
        let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map {
            String($0)
                .replacing("%2F", with: "/").replacing("%70", with: "p")
        }
        switch router.match(method, path: path, segments: { segments }) {
        case .endpoint(let endpoint, let parameters): return ([endpoint] + parameters).joined(separator: " ")
        case .notFound: return "404"
        case .methodNotAllowed(let allowed): return "405 " + allowed.map(\.rawValue).joined(separator: ",")
        }
    }

    @Test(
        "finds what answers",
        arguments: [
            (.get, "/api/presets", "list"),
            (.post, "/api/presets", "create"),
            (.get, "/", "root"),
            (.get, "/api/presets/7", "read 7"),
            (.delete, "/api/presets/7", "delete 7"),
            (.post, "/api/users/a/sessions/b", "end a b"),
            (.head, "/api/presets", "list"),
            (.head, "/api/presets/7", "read 7"),
            (.get, "/api/%70resets", "list"),
            (.get, "/api/presets/a%2Fb", "read a/b"),
        ] as [(HTTPRequest.Method, String, String)])
    func endpoints(method: HTTPRequest.Method, path: String, answer: String) {
        #expect(Self.answer(method, path) == answer)
    }

    @Test(
        "finds nothing where there is nothing",
        arguments: [
            "/api", "/api/presets/", "/api//presets", "//api/presets", "/api/presets/7/", "/api/presets/7/x", "/API/presets",
            "/api/presets%2F7", "/api/users//sessions/b",
        ])
    func nothing(path: String) {
        #expect(Self.answer(.get, path) == "404")
    }

    @Test(
        "says which methods a path has",
        arguments: [
            (.put, "/api/presets", "405 GET,POST,HEAD,OPTIONS"),
            (.options, "/api/presets", "405 GET,POST,HEAD,OPTIONS"),
            (.patch, "/api/presets/7", "405 GET,DELETE,HEAD,OPTIONS"),
            (.get, "/api/users/a/sessions/b", "405 POST,OPTIONS"),
            (.head, "/api/users/a/sessions/b", "405 POST,OPTIONS"),
            // A literal path hides the parameter that would fit it.
            (.get, "/api/presets/search", "405 POST,OPTIONS"),
        ] as [(HTTPRequest.Method, String, String)])
    func methods(method: HTTPRequest.Method, path: String, answer: String) {
        #expect(Self.answer(method, path) == answer)
    }

    @Test("lists its table")
    func table() {
        let table = Self.router.table.map { "\($0.method) \($0.pattern)" }
        #expect(table.count == 7)
        #expect(table.contains("GET /api/presets/{}"))
    }
}
