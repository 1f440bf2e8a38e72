import Postgres
import TestSupport
import Testing

@Suite
struct BlockingConnectionTests {
    @Test("values of every kind come back as they went in")
    func values() throws {
        let connection = try BlockingConnection(PostgresConfiguration(PostgresServer.shared().freshDatabase()))
        let texts = ["", "a", "ü€😀", "'\"\\ {},", "NULL", "line\nfeed"]
        for text in texts {
            #expect(try connection.run("select $1::text", [.text(text)]).string(0, 0) == text)
        }
        let sum = try connection.run("select array_to_string($1::text[], '|')", [.textArray(texts)])
        #expect(try sum.string(0, 0) == texts.joined(separator: "|"))
        let integers = try connection.run("select $1::bigint, $2::int, $3::bigint", [.int(Int64.min), .int(7), .null])
        #expect(try integers.int(0, 0) == Int64.min)
        #expect(try integers.int(0, 1) == 7)
        #expect(try integers.intIfPresent(0, 2) == nil)
        #expect(try connection.run("select $1::float8", [.double(0.1)]).double(0, 0) == 0.1)
        #expect(try connection.run("select $1::bool", [.bool(true)]).bool(0, 0))
        let bytes: [UInt8] = [0, 1, 0xFF, 0x5C]
        #expect(try connection.run("select $1::bytea", [.bytes(bytes)]).bytes(0, 0) == bytes)
    }
}
