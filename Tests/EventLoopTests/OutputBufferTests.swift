import Testing

@testable import EventLoop

@Suite("An output buffer")
struct OutputBufferTests {
    @Test("grows, keeps its bytes, and takes a prefix after the fact")
    func growsAndPrepends() {
        var buffer = OutputBuffer(capacity: 4)
        for _ in 0..<100 { buffer.append("0123456789") }
        buffer.prepend(upTo: 1) { end in
            end[-1] = UInt8(ascii: ">")
            return 1
        }
        let bytes = Array(buffer.bytes)
        #expect(bytes.count == 1_001)
        #expect(bytes.starts(with: ">012".utf8))
        buffer.removeAll()
        let isEmpty = buffer.isEmpty
        #expect(isEmpty)
    }

    @Test("writes decimals", arguments: [0, 7, 10, 99, 100, 65_536, Int.max, -1, Int.min])
    func decimals(value: Int) {
        var buffer = OutputBuffer(capacity: 4)
        buffer.append(decimal: value)
        let text = String(decoding: buffer.bytes, as: UTF8.self)
        #expect(text == String(value))
    }

    @Test("gives the room of an unusually large answer back")
    func shrinks() {
        var buffer = OutputBuffer(capacity: 1_024)
        let large = [UInt8](repeating: 7, count: 100_000)
        buffer.append(large)
        let grown = buffer.room
        buffer.removeAll()
        let kept = buffer.room
        #expect(grown >= 100_000)
        #expect(kept < 1_100)
        buffer.append(large)
        let count = buffer.count
        #expect(count == 100_000)
    }
}
