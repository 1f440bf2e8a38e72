import TestSupport
import Testing

@testable import HTTPServer

@Suite("Connections and loops")
struct LoopBalanceTests {
    @Test("one loop serves all connections while it has little to do")
    func quiet() async throws {
        let echo = try await EchoServer.start(loops: 2)
        defer { echo.stop() }
        try await offPool {
            var clients: [RawClient] = []
            for _ in 0..<20 {
                let client = try echo.client()
                #expect(try client.request("GET", "/loop").text == "0")
                clients.append(client)
            }
        }
    }

    @Test("a crowd that comes before anybody can know what it will do is spread over the loops")
    func crowd() async throws {
        // No loop has room: the least busy one gets the next connection, and every connection counts.
        let echo = try await EchoServer.start(loops: 2) { $0.fillLoopsTo = 0 }
        defer { echo.stop() }
        try await offPool {
            let clients = try (0..<400).map { _ in try echo.client() }
            let onFirst = try clients.count { try $0.request("GET", "/loop").text == "0" }
            #expect((80...320).contains(onFirst), "\(onFirst) of 400")
        }
    }

    @Test("a connection of a busy loop goes on, request by request, on another one, and is counted once")
    func moving() async throws {
        // Every loop is too busy as soon as it is looked at, and every other one has room.
        let echo = try await EchoServer.start(loops: 2) {
            $0.relieveLoopsFrom = 0
            $0.fillLoopsTo = 1_000
        }
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            var seen: Set<String> = []
            // Mostly by the second one; a request that follows at once may still be found by the loop that answered the first.
            for _ in 0..<500 where seen.count < 2 { seen.insert(try client.request("GET", "/loop").text) }
            #expect(seen == ["0", "1"])
            #expect(echo.server.openConnections == 1)
            // What comes in pieces, or at once, is answered wherever it is found.
            for _ in 0..<50 {
                try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
                try client.send("cdGET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(try client.readResponse().text == "abcd")
                #expect(try client.readResponse().text == "hello")
            }
            client.close()
            try EchoCounts.wait("it is let go") { echo.server.openConnections == 0 }
        }
    }

    @Test("the count of requests that a connection may carry goes with it")
    func requestLimit() async throws {
        let echo = try await EchoServer.start(loops: 2) {
            $0.relieveLoopsFrom = 0
            $0.fillLoopsTo = 1_000
            $0.maxRequestsPerConnection = 300
        }
        defer { echo.stop() }
        try await offPool {
            let client = try echo.client()
            for index in 1...300 {
                let isLast = try client.request("GET", "/hello").head["connection"] == "close"
                #expect(isLast == (index == 300))
            }
        }
    }

    @Test("a loop is as busy as its thread was lately, and more with every connection that it is given")
    func load() {
        var load = LoopLoad(now: 0, used: 0)
        load.look(now: LoopLoad.period - 1, used: LoopLoad.period)
        #expect(load.part == 0)
        load.look(now: LoopLoad.period, used: LoopLoad.period / 2)
        #expect(load.part == 0.5)
        for _ in 0..<10 { load.give() }
        load.look(now: LoopLoad.period, used: LoopLoad.period)
        #expect(load.part == 0.5)
        #expect(load.expected(connections: 100) == 0.5 + 10 * LoopLoad.perArrival + 100 * LoopLoad.perConnection)
        load.look(now: 2 * LoopLoad.period, used: LoopLoad.period * 3 / 4)
        #expect(load.expected(connections: 0) == 0.25)
    }
}
