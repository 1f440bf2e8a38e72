import PlaygroundCore
import StrictJSON
import Testing

@Suite("UUIDs and ids")
struct UUIDBytesTests {
    @Test("the canonical form is read in either case and written in lower case")
    func text() throws {
        let text = "01890a5d-ac96-774b-bcce-b302099a8057"
        let uuid = try #require(UUIDBytes(text))
        #expect(uuid == UUIDBytes(high: 0x0189_0a5d_ac96_774b, low: 0xbcce_b302_099a_8057))
        #expect(UUIDBytes(text.uppercased()) == uuid)
        #expect(uuid.description == text)
    }

    @Test(
        "nothing but the canonical form is read",
        arguments: [
            "", "01890a5dac96774bbcceb302099a8057", "{01890a5d-ac96-774b-bcce-b302099a8057}",
            "urn:uuid:01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a805",
            "01890a5d-ac96-774b-bcce-b302099a80570", " 1890a5d-ac96-774b-bcce-b302099a8057",
            "01890a5d-ac96-774b-bcce-b302099a805g",
            "01890a5da-c96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce_b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8é7",
            "+1890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8057\n",
        ])
    func refusals(text: String) {
        #expect(UUIDBytes(text) == nil)
        #expect(PresetID(text) == nil)
    }

    @Test("version 7 carries the time in front, then version, variant and the random bits")
    func version7() {
        let uuid = UUIDBytes.v7(milliseconds: 0x0190_1234_5678, random: (.max, .max))
        #expect(uuid.description == "01901234-5678-7fff-bfff-ffffffffffff")
        #expect(UUIDBytes.v7(milliseconds: 0, random: (0, 0)).description == "00000000-0000-7000-8000-000000000000")
        #expect(uuid.milliseconds == 0x0190_1234_5678)
    }

    @Test("later ids sort after earlier ones as text")
    func order() {
        let texts = [0, 1, 255, 256, 1_700_000_000_000, 1_700_000_000_001].map {
            CompletionID.v7(milliseconds: $0, random: (UInt64.random(in: 0 ... .max), UInt64.random(in: 0 ... .max))).description
        }
        #expect(texts == texts.sorted())
    }

    @Test("random ids read back, and are written as JSON strings")
    func roundTrip() {
        for _ in 0..<1_000 {
            let uuid = UUIDBytes(high: .random(in: 0 ... .max), low: .random(in: 0 ... .max))
            #expect(UUIDBytes(uuid.description) == uuid)
            #expect(UserID(uuid).jsonText == "\"\(uuid)\"")
        }
    }
}
