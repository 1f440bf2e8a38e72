import HTTPCore
import Testing

@Suite("Values of Content-Type and Cookie")
struct FieldValueTests {
    @Test(
        "JSON in UTF-8 is told from everything else",
        arguments: [
            ("application/json", true), ("Application/JSON", true), ("application/json;charset=utf-8", true),
            ("application/json ; charset=\"UTF-8\"", true), ("application/json; profile=x; charset=Utf-8;", true),
            ("application/json; charset=latin1", false), ("application/json; charset=utf-16", false),
            ("application/problem+json", false), ("text/json", false), ("text/plain", false),
        ])
    func json(_ text: String, _ isJSON: Bool) throws {
        #expect(try #require(MediaType(text)).isJSON == isJSON)
    }

    @Test(
        "what is not a media type is none",
        arguments: [
            "", "application", "application/", "/json", "application /json", "application/json,",
            "application/json charset=utf-8",
            "application/json; charset", "application/json; charset=", "application/json; charset=\"utf-8",
            "application/json; charset=utf-8; charset=utf-8", "application/json; =x", "application/json; a=b=c", "*",
            "a/b;c=\"\\",
        ])
    func noMediaType(_ text: String) {
        #expect(MediaType(text) == nil)
    }

    @Test("parameters are read whole")
    func parameters() throws {
        let type = try #require(MediaType("Text/Html;a=\"x; charset=no\\\"\" ; ;charset=ISO-8859-1"))
        #expect(type.type == "text")
        #expect(type.subtype == "html")
        #expect(type.charset == "iso-8859-1")
    }

    @Test(
        "the first cookie of a name counts",
        arguments: [
            ("session=abc", "abc"), ("a=1; session=abc; b=2", "abc"), ("a=1;session=abc", "abc"), ("session=1; session=2", "1"),
            ("session=\"abc\"", "abc"), ("session=", ""), ("session=a=b==", "a=b=="), ("xsession=1; session=2", "2"),
            ("session2=1; session=2", "2"), (" session=abc ", "abc"), ("===;;;; session=v", "v"),
        ])
    func cookie(_ field: String, _ value: String) {
        #expect(CookieField.value(of: "session", in: Array(field.utf8).span) == value)
    }

    @Test(
        "a cookie that is absent or no server can have set is none",
        arguments: [
            "", "session", "Session=abc", "a=session=b", "session=a b", "session=a,b", "session=\"a", "session=a\\b",
            "session =a",
            "session=\u{e9}", "===;;;", "session=a b; session=c",
        ])
    func noCookie(_ field: String) {
        #expect(CookieField.value(of: "session", in: Array(field.utf8).span) == nil)
    }

    @Test("a token's bytes are those of RFC 9110 5.6.2")
    func tokens() {
        let wanted = Set("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
        for byte in UInt8.min...UInt8.max {
            // Behind sixteen letters, so that the fast path and its end are both asked.
            let name = Array("GET / HTTP/1.1\r\nabcdefghABCDEFGH".utf8) + [byte] + Array("xyz-XYZ-09:".utf8)
            var parser = RequestParser()
            var error: HTTPParseError?
            do throws(HTTPParseError) { _ = try parser.parse(name.span) } catch let fault { error = fault }
            #expect((error == nil) == (wanted.contains(byte) || byte == 0x3a), "byte \(byte)")
        }
    }

    @Test("a value's bytes are those of RFC 9110 5.5")
    func values() {
        for byte in UInt8.min...UInt8.max {
            for length in [0, 3, 8, 13] {
                let prefix = String(repeating: "\u{7e}", count: length)
                let text = Array("GET / HTTP/1.1\r\nA:\(prefix)".utf8) + [byte] + Array("aaaaaaaaaaaa".utf8)
                var parser = RequestParser()
                var error: HTTPParseError?
                do throws(HTTPParseError) { _ = try parser.parse(text.span) } catch let fault { error = fault }
                #expect((error == nil) == (byte == 9 || byte >= 32 && byte != 127), "byte \(byte)")
            }
        }
    }
}
