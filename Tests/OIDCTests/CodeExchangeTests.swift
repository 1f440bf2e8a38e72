import Testing

@testable import OIDC

@Suite("What a provider says about a code that it does not take")
struct CodeExchangeTests {
    @Test(
        "is logged where it is a word of the protocol, and else may be our secret",
        arguments: [
            ("invalid_grant", "invalid_grant"), ("invalid_client", "invalid_client"), ("asecretoflowercaseletters", ""), ("", ""),
            (nil, ""),
        ] as [(String?, String)])
    func errorName(name: String?, logged: String) {
        #expect(CodeExchange.errorName(name) == logged)
    }
}
