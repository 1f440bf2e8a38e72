import StrictJSON

/// Probabilities that nobody has computed, in the forms of the two dialects, as JSON texts.
enum MadeUpLogprobs {
    private static let taken = -0.125

    private static func others(_ token: String, _ alternatives: Int) -> [(token: String, logprob: Double)] {
        (1..<max(1, alternatives)).map { ("\(token)~\($0)", -2.5 - Double($0)) }
    }

    static func completions(_ tokens: [String], alternatives: Int, offsets: [Int]) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("text_offset", offsets)
            writer.member("token_logprobs", tokens.map { _ in taken })
            writer.member("tokens", tokens)
            writer.member("top_logprobs") { writer in
                writer.array { writer in
                    for token in tokens {
                        writer.object { writer in
                            if alternatives > 0 { writer.member(named: token, taken) }
                            for other in others(token, alternatives) { writer.member(named: other.token, other.logprob) }
                        }
                    }
                }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    static func chat(_ tokens: [String], alternatives: Int) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("content") { writer in
                writer.array { writer in
                    for token in tokens {
                        let likeliest = (alternatives > 0 ? [(token: token, logprob: taken)] : []) + others(token, alternatives)
                        writer.object { writer in
                            write(token, taken, to: &writer)
                            writer.member("top_logprobs") { writer in
                                writer.array { writer in
                                    for other in likeliest { writer.object { write(other.token, other.logprob, to: &$0) } }
                                }
                            }
                        }
                    }
                }
            }
            writer.member("refusal") { $0.null() }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private static func write(_ token: String, _ logprob: Double, to writer: inout JSONWriter) {
        writer.member("token", token)
        writer.member("logprob", logprob)
        writer.member("bytes", token.utf8.map(Int.init))
    }
}
