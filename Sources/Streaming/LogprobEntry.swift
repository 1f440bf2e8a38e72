import StrictJSON

/// One token of a completion and what the model thought of it.
struct LogprobEntry: Equatable {
    let token: String
    /// nil where the upstream has none, as for the first token of a prompt.
    let logprob: JSONNumber?
    /// The likeliest tokens in its place, each with its own; nil where the upstream has none.
    let alternatives: JSONObject?
    /// Where the token begins: Unicode scalars from the start of the text, or from where the upstream counts.
    let offset: Int64

    /// No text is as long; an offset beyond is none. Adding a token's length to one up to here cannot overflow.
    static let offsetLimit: Int64 = 1 << 32
    /// The most alternatives of one token. Upstreams give 20 at most; each is compared with all before it.
    static let alternativeLimit = 64
}

extension LogprobEntry {
    /// Reads a choice's `logprobs`, whichever of the two forms it has: chat models list tokens with their alternatives, and so do
    /// some servers that speak the completions dialect otherwise.
    /// - Parameter offset: where the first token begins, should the upstream not tell.
    static func entries(of json: Span<UInt8>, startingAt offset: Int) throws(UpstreamFault) -> [LogprobEntry] {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: json, limits: JSONLimits(allowsNullCharacter: true))
        } catch {
            throw .malformedEvent("logprobs: \(error.description)")
        }
        let entries =
            if let object = value.object {
                object["tokens"] == nil ? chatEntries(of: object, startingAt: offset) : entries(of: object, startingAt: offset)
            } else {
                [LogprobEntry]?.none
            }
        guard let entries else { throw .malformedEvent("logprobs of another form") }
        return entries
    }

    /// The completions form: four lists, an element a token in each. nil where it is not that.
    private static func entries(of object: JSONObject, startingAt start: Int) -> [LogprobEntry]? {
        guard let tokens = object["tokens"]?.array, let numbers = object["token_logprobs"]?.array, tokens.count == numbers.count
        else { return nil }
        guard let alternatives = list("top_logprobs", of: object, count: tokens.count),
            let offsets = list("text_offset", of: object, count: tokens.count)
        else { return nil }
        var entries: [LogprobEntry] = []
        var offset = Int64(start)
        for index in tokens.indices {
            guard let token = tokens[index].string, let logprob = optionalNumber(numbers[index]) else { return nil }
            var likeliest: JSONObject?
            switch alternatives[index] {
            case .null: break
            case .object(let object)
            where object.count <= alternativeLimit && object.members.allSatisfy { $0.value.number != nil }:
                likeliest = object
            default: return nil
            }
            switch offsets[index] {
            case .null: break
            case .number(let number):
                guard let told = number.integer, 0...offsetLimit ~= told else { return nil }
                offset = told
            default: return nil
            }
            entries.append(LogprobEntry(token: token, logprob: logprob, alternatives: likeliest, offset: offset))
            offset += Int64(token.unicodeScalars.count)
        }
        return entries
    }

    /// The chat form: a list of tokens of the content, and one of the refusal. nil where it is not that.
    private static func chatEntries(of object: JSONObject, startingAt start: Int) -> [LogprobEntry]? {
        var entries: [LogprobEntry] = []
        var offset = Int64(start)
        for name in ["content", "refusal"] {
            let list: [JSONValue]
            switch object[name] {
            case nil, .null: continue
            case .array(let elements): list = elements
            default: return nil
            }
            for element in list {
                guard let (token, logprob) = pair(element) else { return nil }
                var alternatives = JSONObject()
                if let others = element.object?["top_logprobs"], others != .null {
                    guard let others = others.array, others.count <= alternativeLimit else { return nil }
                    for other in others {
                        guard let (name, number) = pair(other) else { return nil }
                        // Tokens that are no whole characters may look alike; the likeliest of them comes first.
                        if alternatives[name] == nil { alternatives[name] = .number(number) }
                    }
                }
                // As in the completions form, the token that was taken is always among them.
                if alternatives[token] == nil { alternatives[token] = .number(logprob) }
                entries.append(LogprobEntry(token: token, logprob: logprob, alternatives: alternatives, offset: offset))
                offset += Int64(token.unicodeScalars.count)
            }
        }
        return entries
    }

    private static func pair(_ value: JSONValue) -> (token: String, logprob: JSONNumber)? {
        guard let token = value.object?["token"]?.string, let logprob = value.object?["logprob"]?.number else { return nil }
        return (token, logprob)
    }

    /// A list of so many elements; of nulls where it is absent.
    private static func list(_ name: String, of object: JSONObject, count: Int) -> [JSONValue]? {
        switch object[name] {
        case nil, .null: return Array(repeating: .null, count: count)
        case .array(let elements) where elements.count == count: return elements
        // Some servers write an empty list where nothing was asked for.
        case .array(let elements) where elements.isEmpty: return Array(repeating: .null, count: count)
        default: return nil
        }
    }

    /// Tells null, which is no number, from what should not be there.
    private static func optionalNumber(_ value: JSONValue) -> JSONNumber?? {
        switch value {
        case .null: .some(nil)
        case .number(let number): .some(number)
        default: .none
        }
    }
}
