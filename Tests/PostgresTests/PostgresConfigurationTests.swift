import Testing

@testable import Postgres

@Suite
struct PostgresConfigurationTests {
    private func value(_ keyword: String, _ parameters: [PostgresConfiguration.Parameter]) -> String? {
        parameters.last { $0.keyword == keyword }?.value
    }

    @Test("waits are bounded unless the connection string says otherwise")
    func defaults() throws {
        let parameters = try PostgresConfiguration("postgresql://db/app").parameters
        #expect(value("connect_timeout", parameters) == "3")
        #expect(value("tcp_user_timeout", parameters) == "5000")
        #expect(value("keepalives_idle", parameters) == "10")
        #expect(value("keepalives_interval", parameters) == "5")
        #expect(value("keepalives_count", parameters) == "3")
        let timeouts = "-c statement_timeout=5000 -c idle_in_transaction_session_timeout=10000"
        #expect(value("options", parameters) == timeouts + " -c plan_cache_mode=force_generic_plan -c jit=off")
        #expect(value("target_session_attrs", parameters) == nil)
    }

    @Test("what the connection string says wins")
    func given() throws {
        let parameters = try PostgresConfiguration(
            "host=db connect_timeout=9 tcp_user_timeout=0 options='-c statement_timeout=1s' application_name=x"
        ).parameters
        #expect(value("connect_timeout", parameters) == "9")
        #expect(value("tcp_user_timeout", parameters) == "0")
        #expect(value("options", parameters)?.hasSuffix(" -c statement_timeout=1s") == true)
        #expect(value("application_name", parameters) == "x")
    }

    @Test("hosts are tried one by one, each with its port, and one that takes writes is wanted")
    func hosts() throws {
        let configuration = try PostgresConfiguration("postgresql://u@a:1,b:2,c:3/app")
        #expect(configuration.hostCount == 3)
        for (index, expected) in [("a", "1"), ("b", "2"), ("c", "3"), ("a", "1")].enumerated() {
            let parameters = configuration.parameters(host: index)
            #expect(value("host", parameters) == expected.0)
            #expect(value("port", parameters) == expected.1)
            #expect(value("target_session_attrs", parameters) == "read-write")
        }
        let onePort = try PostgresConfiguration("host=a,b port=7")
        #expect(value("port", onePort.parameters(host: 1)) == "7")
    }

    @Test(
        "a password with an @ that is not written %40 is refused, before a part of it passes for the name of a host",
        arguments: [
            "postgres://u:hunt@er2@h/d", "postgresql://u:hunt@er2@@h/d", "postgres://u:hunt@e/r2@h/d",
            "postgres://u:123/hunt@er2@h",
            "postgres://u:123/hunter2@h/d",
        ])
    func strayAtSign(conninfo: String) {
        let error = #expect(throws: PostgresError.self) { try PostgresConfiguration(conninfo) }
        #expect(error.map { "\($0)".contains("%40") && !"\($0)".contains("r2") } == true)
    }

    @Test(
        "an @ where one belongs, or none, is no mistake",
        arguments: [
            "postgres://u:p%40q@h/d", "postgres://h/d", "postgres://u@h:1,i:2/d?options=a@b", "host=h password=a@b@c",
            "postgres://%40s/d",
        ])
    func atSign(conninfo: String) throws { _ = try PostgresConfiguration(conninfo) }

    @Test("neither a bad string, nor a description, nor a dump shows the password")
    func secrets() throws {
        let error = #expect(throws: PostgresError.self) { try PostgresConfiguration("postgresql://u:hunter2@h:port:x/%zz") }
        #expect(error.map { !"\($0)".contains("hunter2") } == true)
        let configuration = try PostgresConfiguration("postgresql://u:hunter2@h/app")
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in ["\(configuration)", String(reflecting: configuration), dumped] { #expect(!text.contains("hunter2")) }
        #expect(configuration.redact("no, hunter2!") == "no, ...!")
        #expect("\(configuration)" == "h:5432/app")
    }
}

@Suite
struct FIFOTests {
    @Test("what goes in first comes out first, however pushes and pops are mixed")
    func order() {
        var queue = FIFO<Int>()
        var next = 0
        var expected = 0
        for round in 0..<500 {
            for _ in 0...(round % 7) {
                queue.append(next)
                next += 1
            }
            for _ in 0...(round % 5) where !queue.isEmpty {
                #expect(queue.first == expected)
                #expect(queue.popFirst() == expected)
                expected += 1
            }
            #expect(queue.count == next - expected)
        }
        #expect(queue.removeAll() == Array(expected..<next))
        #expect(queue.isEmpty)
        #expect(queue.popFirst() == nil)
    }
}
