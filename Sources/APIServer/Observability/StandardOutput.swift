import Glibc

/// Lines for people and scripts, apart from the log on standard error.
enum StandardOutput {
    static func line(_ text: String) { write(1, text) }

    static func write(_ descriptor: Int32, _ text: String) { write(Array((text + "\n").utf8), to: descriptor) }

    /// Writes all of it, unless nobody reads.
    static func write(_ bytes: [UInt8], to descriptor: Int32 = 1) {
        var offset = 0
        while offset < bytes.count {
            let written = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress?.advanced(by: offset), $0.count - offset)
            }
            if written <= 0 { return }
            offset += written
        }
    }
}
