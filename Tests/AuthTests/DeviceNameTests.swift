import Testing

@testable import Auth

@Suite("What a session's owner is shown of its device")
struct DeviceNameTests {
    @Test(
        "is a few words, whatever the program calls itself",
        arguments: [
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0", "Firefox on Windows"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 "
                    + "Edg/131.0.0.0", "Edge on Windows"
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
                "Chrome on Android"
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 "
                    + "Mobile/15E148 Safari/604.1", "Safari on iPhone"
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/131.0 Mobile Safari",
                "Chrome on iPad"
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605",
                "Safari on macOS"
            ),
            ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130 Electron/33.0 Safari/537.36", "Electron on Linux"),
            ("Mozilla/5.0 (PlayStation; PlayStation 5/9.00)", nil), ("curl/8.5.0", "curl"), ("okhttp/4.12.0", "okhttp"),
            ("Playground/12 CFNetwork/1568.200.51 Darwin/24.1.0", "Playground on an Apple device"),
            ("Playground-Android/3.1 (Android 15; Pixel 8)", "Playground-Android on Android"), ("", nil), ("  ", nil),
            ("(Linux)", "A program on Linux"),
            ("<script>alert(1)</script>", nil), ("evil\u{202E}txt/1", "evil"), ("a b\r\nX: y", "a"), ("Ünï/1", nil),
        ])
    func table(userAgent: String, device: String?) {
        #expect(DeviceName.of(userAgent: userAgent) == device)
    }

    @Test("is nothing where nothing was said, and never long")
    func bounds() {
        #expect(DeviceName.of(userAgent: nil) == nil)
        let long = DeviceName.of(userAgent: String(repeating: "x", count: 100_000) + " (Android)")
        #expect(long == String(repeating: "x", count: 40))
        #expect(DeviceName.of(userAgent: String(repeating: "x", count: 50) + " Darwin")?.utf8.count ?? 101 <= 100)
    }

    @Test("comes with the client's address in its usual text, or without one")
    func addresses() {
        for (given, address) in [
            ("203.0.113.7", "203.0.113.7"), ("::ffff:203.0.113.7", "203.0.113.7"), ("2001:DB8:0:0::17", "2001:db8::17"),
            ("fe80::1%eth0", "fe80::1"), ("unknown", nil), ("", nil),
        ] {
            #expect(SessionOrigin(userAgent: nil, address: given).address == address)
        }
    }
}
