import ArgumentParser
import Auth
import EventLoop
import PlaygroundCore

struct KeygenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keygen", abstract: "Print a new session key, as `kid:base64`.",
        discussion: """
            To replace the key that signs: add the new one to SESSION_KEYS behind the old one on every replica; then move it to \
            the front on every replica; a day later remove the old one. Replicas read SESSION_KEYS_FILE again within two seconds.
            """)

    func run() throws {
        let day = CalendarDate(number: Int(SystemClock.microseconds() / 86_400_000_000))
        StandardOutput.line(try KeyRing.newEntry(on: day))
    }
}
