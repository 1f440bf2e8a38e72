import OIDC
import PlaygroundCore

extension Configuration {
    /// Logging in through identity providers.
    struct SignInSettings: Sendable {
        /// In the order of the file; empty where there is none.
        var providers: [ProviderConfiguration] = []
        /// Where frontends may have a log-in end.
        var redirects = RedirectAllowList()
        /// Of this API, as browsers reach it; without a slash at its end. Empty where there are no providers.
        var publicURL = ""

        /// Whether browsers reach this API over TLS.
        var isSecure: Bool { publicURL.hasPrefix("https://") }
    }

    static func signIn(_ environment: inout Environment) -> SignInSettings {
        // All are read in any case, so that a mistake in one is heard of before the others are there.
        var settings = SignInSettings()
        let allowsPlainLoopback = environment.choice("OIDC_ALLOW_PLAIN_LOOPBACK", false, ["1": true, "0": false])
        settings.redirects = environment.parsed(
            "OIDC_REDIRECTS", RedirectAllowList(),
            "addresses separated by commas: https, an app's own scheme, or http on a loopback address, without a fragment"
        ) { RedirectAllowList(parsing: $0) }
        settings.publicURL = environment.parsed(
            "PUBLIC_URL", "",
            "this API's address as browsers know it, such as https://api.example.com; http on this machine alone"
        ) { publicURL($0) }
        guard let path = environment.text("OIDC_PROVIDERS_FILE") else { return settings }
        let file = ProvidersFile.read(path: path, allowsPlainLoopback: allowsPlainLoopback, files: environment.files)
        environment.files = file.files
        for complaint in file.complaints { environment.complain(complaint) }
        settings.providers = file.entries
        if environment.text("PUBLIC_URL") == nil {
            environment.complain("PUBLIC_URL is not set: identity providers send browsers back to it")
        }
        return settings
    }

    private static func publicURL(_ text: String) -> String? {
        guard !text.contains("?"), let url = try? EndpointURL(text, allowsPlainLoopback: true) else { return nil }
        return url.text.hasSuffix("/") ? String(url.text.dropLast()) : url.text
    }
}
