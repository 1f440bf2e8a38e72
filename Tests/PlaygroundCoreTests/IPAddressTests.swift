import PlaygroundCore
import Testing

@Suite("IP addresses")
struct IPAddressTests {
    @Test(
        "are read in their usual forms and written in one",
        arguments: [
            ("192.0.2.1", "192.0.2.1"), ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"), ("::", "::"),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
        ])
    func text(given: String, written: String) {
        #expect(IPAddress(given)?.description == written)
    }

    @Test(
        "are nothing else",
        arguments: [
            "", "192.0.2", "192.0.2.256", "192.0.2.1 ", "192.0.2.1/24", "0x7f.1", "fe80::1%eth0", "[::1]", "1::2::3",
            "localhost",
        ])
    func refused(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test(
        "keep the first bits in the name of a network",
        arguments: [
            ("203.0.113.255", 24, "203.0.113.0"), ("203.0.113.255", 32, "203.0.113.255"), ("203.0.113.255", 0, "0.0.0.0"),
            ("203.0.113.255", 27, "203.0.113.224"), ("2001:db8:ffff:ffff::1", 56, "2001:db8:ffff:ff00::"),
        ])
    func networks(given: String, length: Int, network: String) {
        #expect(IPAddress(given)?.network(length).description == network)
    }

    @Test("that are mapped into IPv6 stand for those of IPv4; others for themselves")
    func mapped() {
        #expect(IPAddress("::ffff:192.0.2.1")?.unmapped == IPAddress("192.0.2.1"))
        for other in ["::192.0.2.1", "::fffe:192.0.2.1", "2001:db8::ffff:c000:201", "192.0.2.1"] {
            #expect(IPAddress(other)?.unmapped == IPAddress(other))
        }
    }
}
