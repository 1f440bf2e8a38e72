// swift-tools-version: 6.2
import PackageDescription

// Warnings are errors; a module says which of its imports its own interface shows; confinement to an event
// loop is checked by the compiler (an async method runs where its caller runs).
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
]

let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

// Arrows point downward only: a target imports targets of lower levels, never a neighbour (bin/check holds it).
let package = Package(
    name: "playground-api",
    products: [
        .executable(name: "APIServer", targets: ["APIServer"]),
        .executable(name: "UpstreamSimulator", targets: ["UpstreamSimulator"]),
    ],
    dependencies: [
        // Names of methods, statuses and header fields; an invalid field name cannot be written.
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        // The logging interface every Swift library reports through.
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        // The metrics interface every Swift library reports through; /metrics is our back end for it.
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        // Subcommands, flags and --help.
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        // Reads openapi.yaml in tests; it brings all of Foundation, so no shipped target uses it.
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    ],
    targets: [
        // Level 0: C libraries, and JSON, which every other level may speak.
        .target(name: "CSystem"),
        .systemLibrary(name: "CLibpq", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .target(name: "COpenSSL", linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
        .target(name: "CLibcurl", linkerSettings: [.linkedLibrary("curl")]),
        .target(name: "StrictJSON", swiftSettings: strict),

        // Level 1: the loop, HTTP's grammar, and what every feature may know.
        .target(name: "EventLoop", dependencies: ["CSystem"], swiftSettings: strict),
        .target(name: "HTTPCore", dependencies: [httpTypes], swiftSettings: strict),
        .target(name: "PlaygroundCore", dependencies: ["COpenSSL", "StrictJSON"], swiftSettings: strict),

        // Level 2: drivers on a loop.
        .target(
            name: "HTTPServer", dependencies: ["CSystem", "EventLoop", "HTTPCore", "PlaygroundCore", httpTypes, logging],
            swiftSettings: strict),
        .target(
            name: "Postgres", dependencies: ["CLibpq", "EventLoop", "PlaygroundCore", "StrictJSON", logging],
            swiftSettings: strict),
        .target(
            name: "HTTPClient",
            dependencies: ["CLibcurl", "COpenSSL", "CSystem", "EventLoop", "HTTPCore"],
            swiftSettings: strict),
        .target(
            name: "Mail", dependencies: ["CLibcurl", "HTTPCore", "PlaygroundCore"],
            // The texts that go out unless the operator has others.
            resources: [.embedInCode("Templates")], swiftSettings: strict),

        // Level 3: features. They never see HTTP's server and never import each other.
        .target(
            name: "Auth", dependencies: ["COpenSSL", "EventLoop", "Mail", "Postgres", "PlaygroundCore", "StrictJSON", logging],
            swiftSettings: strict),
        .target(name: "Presets", dependencies: ["Postgres", "PlaygroundCore", "StrictJSON"], swiftSettings: strict),
        .target(name: "Idempotency", dependencies: ["Postgres", "PlaygroundCore"], swiftSettings: strict),
        .target(
            name: "Streaming", dependencies: ["EventLoop", "HTTPClient", "HTTPCore", "PlaygroundCore", "StrictJSON"],
            swiftSettings: strict),
        .target(
            name: "RateLimit", dependencies: ["EventLoop", "Postgres", "PlaygroundCore", "StrictJSON", logging],
            swiftSettings: strict),
        .target(
            name: "OIDC",
            dependencies: ["COpenSSL", "EventLoop", "HTTPClient", "Postgres", "PlaygroundCore", "StrictJSON", logging],
            swiftSettings: strict),

        // Level 4: the server, its commands and its wiring.
        .executableTarget(
            name: "APIServer",
            dependencies: [
                "Auth", "CLibcurl", "CSystem", "EventLoop", "HTTPClient", "HTTPCore", "HTTPServer", "Idempotency",
                "Mail", "OIDC", "PlaygroundCore", "Postgres", "Presets", "RateLimit", "Streaming", "StrictJSON", httpTypes,
                logging,
                metrics,
                arguments,
            ],
            // Links to the contract and the migrations: both are inside the binary, which runs from any directory.
            resources: [.embedInCode("Resources/openapi.yaml"), .embedInCode("Resources/Migrations")],
            swiftSettings: strict),

        // Beside the levels: the upstream that development, tests and benchmarks talk to, and what loads the server.
        .executableTarget(
            name: "UpstreamSimulator", dependencies: ["CSystem", "EventLoop", "HTTPCore", "StrictJSON", httpTypes, arguments],
            swiftSettings: strict),
        .executableTarget(
            name: "LoadGenerator", dependencies: ["CSystem", "EventLoop", "HTTPCore", "StrictJSON", httpTypes, arguments],
            swiftSettings: strict),
        .testTarget(
            name: "UpstreamSimulatorTests",
            dependencies: ["UpstreamSimulator", "EventLoop", "HTTPCore", "StrictJSON", httpTypes], swiftSettings: strict),
        .testTarget(name: "LoadGeneratorTests", dependencies: ["LoadGenerator"], swiftSettings: strict),

        // What tests share: a private Postgres, a loop, processes, a raw HTTP client, the contract and its schemas.
        .target(
            name: "TestSupport", dependencies: ["EventLoop", "PlaygroundCore", "Postgres", "StrictJSON", logging, yams],
            path: "Tests/TestSupport", swiftSettings: strict),
        // openapi.yaml and docs/ against the server's own tables.
        .testTarget(
            name: "ContractTests",
            dependencies: [
                "APIServer", "Auth", "EventLoop", "HTTPClient", "HTTPServer", "PlaygroundCore", "Postgres", "Streaming",
                "StrictJSON", "TestSupport", httpTypes, logging,
            ],
            swiftSettings: strict),
        // The whole system as processes of its own; the executables are named so that they are built first.
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "APIServer", "UpstreamSimulator", "Auth", "EventLoop", "PlaygroundCore", "Postgres", "StrictJSON", "TestSupport",
            ],
            swiftSettings: strict),
    ]
        + [
            "StrictJSON", "EventLoop", "HTTPCore", "PlaygroundCore", "HTTPServer", "Postgres", "HTTPClient", "Mail", "Auth",
            "Presets",
            "Idempotency", "Streaming", "RateLimit", "OIDC",
        ].map { module in
            let foundations: Set = [
                "StrictJSON", "EventLoop", "HTTPCore", "PlaygroundCore", "Postgres", "HTTPClient", "Mail", module,
            ]
            return .testTarget(
                name: "\(module)Tests",
                dependencies: foundations.sorted().map { .target(name: $0) } + ["TestSupport", httpTypes, logging],
                swiftSettings: strict)
        }
)
