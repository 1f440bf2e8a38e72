/// A few words by which people recognise the device or program behind a session, made of what it says in the User-Agent field.
///
/// Only words from the tables here get through, or else the program's own name reduced to harmless characters: what is stored can
/// neither be long nor carry anything to whoever looks at the list.
enum DeviceName {
    /// Of the field, so many bytes are looked at.
    private static let lookedAt = 512
    private static let longestProduct = 40

    /// What stands in the field, and what it is called. The first that is there counts: later ones are in the fields of earlier
    /// ones too.
    private static let systems: [(token: String, name: String)] = [
        ("iphone", "iPhone"), ("ipad", "iPad"), ("android", "Android"), ("windows", "Windows"), ("cros ", "ChromeOS"),
        ("macintosh", "macOS"), ("mac os x", "macOS"), ("darwin", "an Apple device"), ("linux", "Linux"), ("x11", "Linux"),
    ]
    private static let browsers: [(token: String, name: String)] = [
        ("edg/", "Edge"), ("edga/", "Edge"), ("edgios/", "Edge"), ("opr/", "Opera"), ("samsungbrowser/", "Samsung Internet"),
        ("firefox/", "Firefox"), ("fxios/", "Firefox"), ("electron/", "Electron"), ("crios/", "Chrome"), ("chrome/", "Chrome"),
        ("version/", "Safari"),
    ]

    /// Nil where the field is absent or says nothing that could be shown.
    static func of(userAgent: String?) -> String? {
        guard let userAgent else { return nil }
        let text = String(decoding: userAgent.utf8.prefix(lookedAt), as: UTF8.self)
        let lowered = text.lowercased()
        let system = systems.first { lowered.contains($0.token) }?.name
        let program =
            lowered.hasPrefix("mozilla/")
            ? browsers.first { lowered.contains($0.token) }?.name : product(text)
        switch (program, system) {
        case (let program?, let system?): return "\(program) on \(system)"
        case (let program?, nil): return program
        case (nil, let system?): return "A program on \(system)"
        case (nil, nil): return nil
        }
    }

    /// The name of the first product (RFC 9110, 10.1.5), without its version.
    private static func product(_ text: String) -> String? {
        let name = text.utf8.prefix { isNameByte($0) }.prefix(longestProduct)
        return name.isEmpty ? nil : String(decoding: name, as: UTF8.self)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        byte &- UInt8(ascii: "0") < 10 || (byte | 0x20) &- UInt8(ascii: "a") < 26 || "-_.".utf8.contains(byte)
    }
}
