import Foundation
import StrictJSON
import TestSupport
import Testing

@testable import APIServer

@Suite("The contract has the server's routes")
struct RouteContractTests {
    @Test("every route is in the contract, and every operation of the contract is a route")
    func routesAndOperationsAreTheSame() async throws {
        let routes = Set(try await ServerRoute.all().map { "\($0.method) \($0.pattern)" })
        let operations = Set(try APIContract.ofProject().operations.map { "\($0.method) \($0.path.nameless)" })
        #expect(routes.subtracting(operations).sorted() == [], "not in openapi.yaml")
        #expect(operations.subtracting(routes).sorted() == [], "not in Routes.swift")
    }

    @Test("an operation needs a token in the contract where its route needs one")
    func openRoutesAreOpenOperations() async throws {
        let contract = try APIContract.ofProject()
        for route in try await ServerRoute.all() {
            let operation = try #require(
                contract.operations.first { $0.method == route.method && $0.path.nameless == route.pattern })
            #expect(operation.isOpen == route.isOpen, "\(operation)")
        }
    }

    @Test("an operation tells the scope that its route asks of an API key, and none where no key will do")
    func scopesAreTheSame() async throws {
        let contract = try APIContract.ofProject()
        for route in try await ServerRoute.all() {
            let operation = try #require(
                contract.operations.first { $0.method == route.method && $0.path.nameless == route.pattern })
            #expect(operation.members["x-api-key-scope"]?.string == route.keyScope, "\(operation)")
        }
    }

    @Test("the contract has the program's version")
    func versionsAreTheSame() throws {
        let info = try APIContract.ofProject().document.object?["info"]?.object
        #expect(info?["version"]?.string == Version.current)
    }

    @Test("the contract inside the binary is the one in the project")
    func embeddedContractIsTheFile() throws {
        let file = try Data(contentsOf: APIContract.projectDirectory.appending(path: "openapi.yaml"))
        #expect(Data(PackageResources.openapi_yaml) == file)
    }
}

extension APIContract.Operation {
    /// Whether it can be called without a token.
    var isOpen: Bool {
        guard let security = members["security"]?.array else { return false }
        return security.allSatisfy { $0.object?.isEmpty == true } || security.contains { $0.object?.isEmpty == true }
    }
}
