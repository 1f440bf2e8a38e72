import Testing

@testable import HTTPServer

@Suite("Whether a client takes what waits for it")
struct SendPaceTests {
    static let configuration: ServerConfiguration = {
        var configuration = ServerConfiguration()
        configuration.writeStallTimeout = .seconds(30)
        configuration.sendMinimumRate = 500
        return configuration
    }()

    /// The pace behind a reference: `#expect` takes no mutating call. The connection begins at time 0 with 1,000 bytes taken.
    final class Watch {
        private var pace = SendPace(acknowledged: 1_000, now: 0)

        func isTooSlow(acknowledged: UInt64, completeAnswer: Int? = nil, now: Int64) -> Bool {
            pace.isTooSlow(acknowledged: acknowledged, completeAnswer: completeAnswer, now: now, configuration)
        }
    }

    @Test("nothing acknowledged for the whole time is too slow, and not a moment before", arguments: [nil, 1])
    func standstill(completeAnswer: Int?) {
        let watch = Watch()
        #expect(!watch.isTooSlow(acknowledged: 1_000, completeAnswer: completeAnswer, now: 29_999))
        #expect(watch.isTooSlow(acknowledged: 1_000, completeAnswer: completeAnswer, now: 30_000))
    }

    @Test("one byte of a stream begins the time again")
    func oneByte() {
        let watch = Watch()
        for round in 1...100 {
            #expect(!watch.isTooSlow(acknowledged: 1_000 + UInt64(round), now: Int64(round) * 29_000), "round \(round)")
        }
        #expect(watch.isTooSlow(acknowledged: 1_100, now: 2_900_000 + 30_000))
    }

    @Test("a complete answer has to be taken at the least rate on average, once the time has passed", arguments: [499, 500])
    func completeAnswer(rate: UInt64) {
        let watch = Watch()
        var acknowledged: UInt64 = 1_000
        var wasTooSlow = false
        for second in 0..<60 {
            acknowledged += 1
            // A stream that is still made is held to no rate.
            #expect(!watch.isTooSlow(acknowledged: acknowledged, now: Int64(second) * 1000))
        }
        for second in 60...600 where !wasTooSlow {
            wasTooSlow = watch.isTooSlow(acknowledged: acknowledged, completeAnswer: 1, now: Int64(second) * 1000)
            #expect(!wasTooSlow || second >= 90, "not before its time")
            acknowledged += rate
        }
        #expect(wasTooSlow == (rate < 500))
    }

    @Test("the rate is asked of each answer anew: pauses between answers count for nothing")
    func manyAnswers() {
        let watch = Watch()
        for answer in 1...1_000 {
            let isTooSlow = watch.isTooSlow(
                acknowledged: 1_000 + 100 * UInt64(answer), completeAnswer: answer, now: Int64(answer) * 1000)
            #expect(!isTooSlow)
        }
        #expect(!watch.isTooSlow(acknowledged: 101_001, completeAnswer: 1_000, now: 1_029_999))
        #expect(watch.isTooSlow(acknowledged: 101_002, completeAnswer: 1_000, now: 1_030_000))
    }
}
