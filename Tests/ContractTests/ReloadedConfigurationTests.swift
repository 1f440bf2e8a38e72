import Auth
import Foundation
import PlaygroundCore
import TestSupport
import Testing

@testable import APIServer

@Suite("Secret files are read again")
struct ReloadedConfigurationTests {
    static let first = "k1:" + Data(repeating: 1, count: 32).base64EncodedString()
    static let second = "k2:" + Data(repeating: 2, count: 32).base64EncodedString()

    static func reloaded(_ variables: [String: String]) throws -> ReloadedConfiguration {
        let all = [
            "DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing", "UPSTREAM_API_KEY": "sk-upstream", "SESSION_KEYS": first,
        ]
        .merging(variables) { $1 }
        return ReloadedConfiguration(try Configuration(Environment(all)), variables: all)
    }

    static func upstreamKeys(_ reloaded: ReloadedConfiguration) -> [String?] {
        reloaded.current.upstreams.map { $0.key?.withBytes { String(decoding: $0, as: UTF8.self) } }
    }

    @Test("once they are in the same new state twice, however they were written", arguments: SecretFile.Way.allCases)
    func settling(way: SecretFile.Way) throws {
        let file = try SecretFile(Self.first + "\n", way)
        var reloaded = try Self.reloaded(["SESSION_KEYS": "", "SESSION_KEYS_FILE": file.path])
        #expect(reloaded.check() == ([], []) && reloaded.check() == ([], []))
        try file.write("\(Self.first),\(Self.second)")
        #expect(reloaded.check() == ([], []), "it may still be being written")
        #expect(reloaded.current.keys.ids == ["k1"])
        #expect(reloaded.check() == ([file.path], []))
        #expect(reloaded.current.keys.ids == ["k1", "k2"])
        #expect(reloaded.check() == ([], []))
        try file.write(Self.second)
        #expect(reloaded.check(isWritten: true) == ([file.path], []), "who says that it is written does not wait")
        #expect(reloaded.current.keys.ids == ["k2"])
    }

    @Test("and keep what they said where they say nothing of use, which is told once and without their text")
    func refusals() throws {
        let file = try SecretFile(Self.first)
        var reloaded = try Self.reloaded(["SESSION_KEYS": "", "SESSION_KEYS_FILE": file.path])
        for useless in ["", "  \n", "k1", "topsecret:dG9wc2VjcmV0", "\(Self.second),", String(repeating: "x", count: 70_000)] {
            try file.write(useless)
            #expect(reloaded.check().refusals.isEmpty)
            let (taken, refusals) = reloaded.check()
            #expect(taken.isEmpty && refusals.map(\.path) == [file.path], "\(useless.prefix(10))")
            #expect(refusals.allSatisfy { !$0.reason.contains("topsecret") && !$0.reason.contains("dG9w") })
            for _ in 0..<3 { #expect(reloaded.check() == ([], [])) }
            #expect(reloaded.current.keys.ids == ["k1"])
        }
        try file.remove()
        _ = reloaded.check()
        #expect(reloaded.check().refusals.count == 1)
        #expect(reloaded.check().refusals.isEmpty)
        try file.write(Self.first)
        _ = reloaded.check()
        #expect(reloaded.check() == ([], []), "what it said before is no news")
        try file.write(Self.second)
        _ = reloaded.check()
        #expect(reloaded.check() == ([file.path], []))
    }

    @Test("each for itself: a useless one does not keep the others from being taken")
    func independence() throws {
        let (keys, upstream) = (try SecretFile(Self.first), try SecretFile("sk-one"))
        let database = try SecretFile("postgres://nobody@127.0.0.1:1/nothing")
        var reloaded = try Self.reloaded([
            "SESSION_KEYS": "", "SESSION_KEYS_FILE": keys.path, "UPSTREAM_API_KEY": "", "UPSTREAM_API_KEY_FILE": upstream.path,
            "DATABASE_URL": "", "DATABASE_URL_FILE": database.path,
        ])
        try keys.write(Self.second)
        try upstream.write("sk-\u{1}-two")
        try database.write("no such string=")
        let (taken, refusals) = reloaded.check(isWritten: true)
        #expect(taken == [keys.path])
        #expect(Set(refusals.map(\.path)) == [upstream.path, database.path])
        #expect(Self.upstreamKeys(reloaded) == ["sk-one"])
        try upstream.write("sk-three")
        try database.write("postgres://somebody@127.0.0.1:1/nothing")
        #expect(Set(reloaded.check(isWritten: true).taken) == [upstream.path, database.path])
        #expect(Self.upstreamKeys(reloaded) == ["sk-three"])
    }

    @Test("with those that a file of upstreams names, also where it names another one than before")
    func upstreams() throws {
        let (one, two) = (try SecretFile("sk-one"), try SecretFile("sk-two"))
        func text(_ key: SecretFile, _ header: String) -> String {
            """
            {"upstreams": [{"name": "a", "url": "http://127.0.0.1:1/v1", "key_file": "\(key.path)", "headers": {"X-A": "\(header)"}}]}
            """
        }
        let file = try SecretFile(text(one, "1"))
        var reloaded = try Self.reloaded(["UPSTREAM_API_KEY": "", "UPSTREAMS_FILE": file.path])
        let started = reloaded.current
        #expect(Self.upstreamKeys(reloaded) == ["sk-one"])
        try one.write("sk-one-b")
        #expect(reloaded.check(isWritten: true) == ([one.path], []))
        #expect(Self.upstreamKeys(reloaded) == ["sk-one-b"])
        try file.write(text(two, "2"))
        #expect(reloaded.check(isWritten: true) == ([file.path], []))
        #expect(Self.upstreamKeys(reloaded) == ["sk-two"])
        #expect(reloaded.current.upstreams[0].headers.map(\.value) == ["2"])
        try two.write("sk-two-b")
        _ = reloaded.check()
        #expect(reloaded.check() == ([two.path], []))
        #expect(Self.upstreamKeys(reloaded) == ["sk-two-b"])
        #expect(reloaded.current.hasUpstreams(of: started))
        try file.write(text(two, "2").replacing(":1/v1", with: ":2/v1"))
        #expect(reloaded.check(isWritten: true) == ([file.path], []))
        #expect(!reloaded.current.hasUpstreams(of: started))
    }

    @Test("and are shown by no dump")
    func dumps() throws {
        let file = try SecretFile("sk-topsecret")
        let reloaded = try Self.reloaded(["UPSTREAM_API_KEY": "", "UPSTREAM_API_KEY_FILE": file.path])
        #expect(!Self.shows("topsecret", reloaded))
        // What this looks for, it finds where it is.
        #expect(Self.shows("topsecret", ["sk-topsecret"]))
        #expect(Self.shows("topsecret", Array("sk-topsecret".utf8)))
    }

    /// Whether descriptions or a dump of a value have the secret in them, as text or as bytes.
    private static func shows(_ secret: String, _ value: some Any) -> Bool {
        var dumped = ""
        dump(value, to: &dumped)
        let texts = ["\(value)", String(reflecting: value), dumped]
        let bytes = secret.utf8.map(String.init).joined(separator: ", ")
        return texts.contains { text in
            text.contains(secret) || text.replacing(#/\s*\n\s*- /#, with: ", ").contains(bytes)
        }
    }
}
