import Foundation
import TestSupport
import Testing

/// Against a provider that is not ours, whose issuer is an address of https.
@Suite("Logging in through an identity provider over TLS")
struct IdentityTLSTests {
    private static func scene(
        _ environment: [String: String], _ body: @escaping @Sendable (IdentityScene) throws -> Void
    ) async throws {
        let certificates = try Certificates.shared.get()
        let environment = environment.merging(["OIDC_ALLOW_PLAIN_LOOPBACK": "0"]) { $1 }
        try await IdentityScene.with(
            options: ["--tls", certificates.chain, certificates.key], environment: environment, body)
    }

    @Test("works where the provider's certificate is of an authority that the system trusts")
    func trusted() async throws {
        try await Self.scene(["SSL_CERT_FILE": Certificates.shared.get().authority]) { scene in
            let browser = scene.browser()
            let page = try browser.begin()
            #expect(page.hasPrefix("https://127.0.0.1:"))
            // The browser of these tests speaks no TLS: it sees the same page at the provider's other port.
            let plain = page.replacing(/^https:..127\.0\.0\.1:\d+/, with: "http://127.0.0.1:\(scene.port)")
            let answer = try Browser.frontend(browser.comeBack(browser.decide(plain)))
            #expect(try scene.exchange(answer["code"] ?? "", browser.verifier).status == 200)
        }
    }

    @Test("is told at the start of the server where it can end nowhere")
    func nowhere() async throws {
        try await Self.scene(["OIDC_REDIRECTS": ""]) { scene in
            try scene.stack.server.process.waitForLine(containing: "no OIDC_REDIRECTS")
        }
    }

    @Test("does not begin where nobody vouches for the certificate; what is wrong is in the log")
    func untrusted() async throws {
        try await Self.scene([:]) { scene in
            let browser = scene.browser()
            let answer = try Browser.frontend(browser.request("GET", browser.startAddress()))
            #expect(answer["error"] == "temporarily_unavailable")
            try scene.stack.server.process.waitForLine(containing: "certificate")
        }
    }
}
