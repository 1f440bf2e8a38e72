import TestSupport
import Testing

/// Suites with this word in their name measure times that must not differ. `bin/test` runs them alone, when all others are done.
@Suite("Addresses that have an account", .serialized)
struct AnswerTimingTests {
    @Test("are told apart from addresses without one neither by the answer nor by its time, and only they get a mail")
    func enumeration() async throws {
        let proxied = ["TRUSTED_PROXIES": "127.0.0.0/8"]
        try await Stack.withMail(environment: proxied) { stack, mail in
            // 300 of each tell, unless the machine has much else to do: then as many again, and again.
            let (round, most) = (300, 900)
            _ = try stack.rows(
                "insert into users (id, email) select gen_random_uuid(), 'known' || n || '@example.com' from generate_series(1, \(most)) n"
            )
            var times: [Bool: [Duration]] = [true: [], false: []]
            var answers: Set<String> = []
            var (count, difference) = (0, 1.0)
            while difference >= 0.05, count < most {
                let client = try stack.server.client()
                for number in count + 1...count + round {
                    // Which of the two comes first is not always the same.
                    for isKnown in number % 2 == 0 ? [true, false] : [false, true] {
                        let fields = [
                            "Content-Type": "application/json",
                            "X-Forwarded-For": "10.\(number / 250).\(number % 250).\(isKnown ? 1 : 2)",
                        ]
                        let began = ContinuousClock.now
                        let answer = try client.request(
                            "POST", "/api/auth/password/forgot", fields,
                            body: #"{"email":"\#(isKnown ? "known" : "nobody")\#(number)@example.com"}"#)
                        times[isKnown]?.append(ContinuousClock.now - began)
                        answers.insert("\(answer.status) \(answer.text) \(answer.head.fields.map(\.name).sorted())")
                    }
                }
                count += round
                let medians = try [true, false].map { try #require(times[$0]?.sorted()[count / 2]) }
                difference = abs(medians[0] / medians[1] - 1)
            }
            #expect(answers.count == 1, "\(answers)")
            #expect(difference < 0.05, "medians of \(count) calls each")
            try stack.expect("select count(*) from mail_outbox", becomes: "0", within: .seconds(120))
            let sent = try mail.mails()
            #expect(sent.count == count)
            #expect(sent.allSatisfy { $0.to[0].hasPrefix("known") })
        }
    }
}
