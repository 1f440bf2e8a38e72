import PlaygroundCore
import Testing

@testable import RateLimit

@Suite("Where a client is")
struct ClientOriginTests {
    @Test(
        "is the /24 and the address itself in IPv4, the /56 in IPv6",
        arguments: [
            ("203.0.113.77", "203.0.113.0/24", "203.0.113.77"),
            ("255.255.255.255", "255.255.255.0/24", "255.255.255.255"),
            ("2001:db8:1:2345:6:7:8:9", "2001:db8:1:2300::/56", "2001:db8:1:2300::/56"),
            ("2001:DB8:1:23FF::1", "2001:db8:1:2300::/56", "2001:db8:1:2300::/56"),
            ("::1", "::/56", "::/56"),
            ("fe80::1%eth0", "fe80::/56", "fe80::/56"),
            ("::ffff:203.0.113.77", "203.0.113.0/24", "203.0.113.77"),
            ("::ffff:cb00:714d", "203.0.113.0/24", "203.0.113.77"),
        ])
    func blocks(text: String, network: String, address: String) {
        let origin = ClientOrigin(text)
        #expect(origin.network == network)
        #expect(origin.address == address)
    }

    @Test("is one and the same for all that cannot be read", arguments: ["", "nonsense", "203.0.113", "203.0.113.7:80", "1"])
    func unreadable(text: String) {
        #expect(ClientOrigin(text) == ClientOrigin("?"))
    }
}

@Suite("How long a failure is waited for")
struct LoginLimitsTests {
    @Test("is nothing four times, then a second, then twice as long each time, up to a quarter of an hour")
    func delays() {
        let seconds = LoginLimits().delays.map { Double($0) / 1_000_000 }
        #expect(seconds == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900])
    }

    @Test("ends, whatever the limits")
    func strangeLimits() {
        var limits = LoginLimits()
        limits.freeFailures = 0
        limits.shortestDelay = .zero
        limits.longestDelay = .microseconds(5)
        #expect(limits.delays == [0, 2, 4, 5])
    }

    @Test("slows whoever goes on more than whoever waits to be forgotten gains")
    func memory() {
        let limits = LoginLimits()
        let quick = limits.delays.count
        #expect(limits.memory / limits.longestDelay > Double(quick))
    }
}
