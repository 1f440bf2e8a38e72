import PlaygroundCore
import StrictJSON
import Testing

@Suite("Errors")
struct ServiceErrorTests {
    @Test("every code is a snake_case word with a meaning of its own")
    func codes() {
        for code in ErrorCode.allCases {
            #expect(
                code.rawValue.utf8.allSatisfy { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || $0 == UInt8(ascii: "_") })
            #expect(!code.meaning.isEmpty)
        }
        #expect(Set(ErrorCode.allCases.map(\.meaning)).count == ErrorCode.allCases.count)
    }

    @Test(
        "one bad field that says more gives its own code",
        arguments: [
            (ErrorCode.unknownParameter, ErrorCode.unknownParameter), (.unsupportedParameter, .unsupportedParameter),
            (.modelNotAllowed, .modelNotAllowed), (.required, .invalidRequest), (.wrongType, .invalidRequest),
            (.outOfRange, .invalidRequest), (.tooLong, .invalidRequest),
        ])
    func singleField(code: ErrorCode, expected: ErrorCode) {
        let error = ServiceError(fields: [FieldError("a.b", code, "a.b is odd")])
        #expect(error.code == expected)
        #expect(error.detail == "a.b is odd")
        #expect(error.param == "a.b")
        #expect(!error.retryable)
    }

    @Test("several bad fields give invalid_request and the first as param")
    func severalFields() {
        let error = ServiceError(fields: [FieldError("x", .unknownParameter, "x"), FieldError("y", .required, "y")])
        #expect(error.code == .invalidRequest)
        #expect(error.param == "x")
        #expect(error.errors.count == 2)
    }

    @Test("the detail is the code's meaning unless there is more to say; what may pass with time is retryable")
    func defaults() {
        #expect(ServiceError(.notFound).detail == ErrorCode.notFound.meaning)
        #expect(ServiceError(.overloaded, retryAfter: .seconds(1)).retryable)
        #expect(!ServiceError(.insufficientQuota).retryable)
        #expect(ServiceError(.notFound).param == nil)
    }

    @Test(
        "a body that is no JSON and one that asks for too much are told apart",
        arguments: [
            ("{", ErrorCode.invalidJSON), ("[1,]", .invalidJSON), ("\u{FEFF}{}", .invalidJSON),
            (#"{"a":1,"a":1}"#, .invalidRequest),
            (#"{"a":"\ud800"}"#, .invalidRequest), (#"{"a":"\u0000"}"#, .invalidRequest),
        ])
    func jsonErrors(body: String, expected: ErrorCode) {
        do {
            _ = try FieldReader(body: Array(body.utf8))
            Issue.record("\(body) was taken")
        } catch {
            #expect(error.code == expected)
        }
    }

    @Test("a secret shows in no text, no dump and no interpolation; only an explicit call lends it")
    func secrets() {
        let secret = Secret("hunter2")
        struct Holder { let name = "x", secret: Secret }
        var dumped = ""
        dump(Holder(secret: secret), to: &dumped)
        for text in ["\(secret)", String(describing: secret), String(reflecting: secret), "\(Holder(secret: secret))", dumped] {
            #expect(!text.contains("hunter2") && !text.contains("104"))
        }
        #expect(secret.withBytes { Array($0) } == Array("hunter2".utf8))
        #expect(Secret("").isEmpty && !secret.isEmpty)
    }
}
