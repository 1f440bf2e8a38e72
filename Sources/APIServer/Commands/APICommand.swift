import ArgumentParser

/// The program: a server, and what its operators do to its database.
@main
struct APICommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "APIServer",
        abstract: "The Playground API: accounts, presets, limits, and completions streamed from an upstream.",
        discussion: "Everything is configured by environment variables; README.md has the table.",
        version: Version.current,
        subcommands: [
            ServeCommand.self, MigrateCommand.self, UserCommand.self, CreateUserCommand.self, PlanCommand.self,
            InstanceCommand.self,
            PauseCommand.self, ResumeCommand.self, PriceCommand.self, UsageCommand.self, AuditCommand.self,
            LoadTokensCommand.self, KeygenCommand.self, TokenCostCommand.self,
        ],
        defaultSubcommand: ServeCommand.self)
}
