import Foundation
import StrictJSON
import TestSupport

@testable import OIDC

/// Tokens that PyJWT signs, none by our own code: byte for byte what a case says.
struct SignedTokens {
    struct Case {
        let name: String
        var header = #"{"alg":"RS256","kid":"rsa","typ":"JWT"}"#
        /// Bytes, so that what is no UTF-8 can be signed too.
        var payload: [UInt8]
        var key = "rsa"
        var algorithm: String?

        init(_ name: String, header: String? = nil, payload: String, key: String = "rsa", algorithm: String? = nil) {
            self.init(name, header: header, bytes: Array(payload.utf8), key: key, algorithm: algorithm)
        }

        init(_ name: String, header: String? = nil, bytes: [UInt8], key: String = "rsa", algorithm: String? = nil) {
            self.name = name
            if let header { self.header = header }
            payload = bytes
            self.key = key
            self.algorithm = algorithm
        }
    }

    /// The public keys by name, as PyJWT writes them.
    let keys: JSONObject
    private let tokens: JSONObject

    init(_ cases: [Case]) throws {
        var writer = JSONWriter()
        writer.array { writer in
            for item in cases {
                writer.object { writer in
                    writer.member("name", item.name)
                    writer.member("header", item.header)
                    writer.member("key", item.key)
                    writer.member("algorithm", item.algorithm)
                    writer.member("payload") { writer in
                        writer.object { $0.member("base64", Data(item.payload).base64EncodedString()) }
                    }
                }
            }
        }
        let output = try PythonTool.run("sign_tokens.py", [String(decoding: writer.bytes, as: UTF8.self)])
        guard let answer = try JSONValue(parsing: output).object, let keys = answer["keys"]?.object,
            let tokens = answer["tokens"]?.object
        else { throw TestFailure("no tokens: \(output)") }
        self.keys = keys
        self.tokens = tokens
    }

    subscript(name: String) -> String { tokens[name]?.string ?? "" }

    /// A set of these keys, each under its name as key id; `change` may edit a key.
    func set(_ names: [String], change: (String, inout JSONObject) -> Void = { _, _ in }) -> JSONWebKeySet {
        let list = names.map { name -> JSONValue in
            var key = keys[name]?.object ?? JSONObject()
            key["kid"] = .string(name)
            change(name, &key)
            return .object(key)
        }
        var object = JSONObject()
        object["keys"] = .array(list)
        return JSONWebKeySet(.object(object)) ?? JSONWebKeySet([])
    }
}
