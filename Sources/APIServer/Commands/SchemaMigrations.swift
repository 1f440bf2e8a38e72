import Postgres

/// The migrations inside this binary, in order: the files of `Migrations/`, byte for byte. Embedding turns the first digit
/// of a file's name into an underscore.
enum SchemaMigrations {
    static let all = [
        Migration(name: "0001_users", sql: text(PackageResources._001_users_sql)),
        Migration(name: "0002_sessions", sql: text(PackageResources._002_sessions_sql)),
        Migration(name: "0003_presets", sql: text(PackageResources._003_presets_sql)),
        Migration(name: "0004_limits", sql: text(PackageResources._004_limits_sql)),
        Migration(name: "0005_control", sql: text(PackageResources._005_control_sql)),
        Migration(name: "0006_plans", sql: text(PackageResources._006_plans_sql)),
        Migration(name: "0007_admission", sql: text(PackageResources._007_admission_sql)),
        Migration(name: "0008_ledger", sql: text(PackageResources._008_ledger_sql)),
        Migration(name: "0009_throttle", sql: text(PackageResources._009_throttle_sql)),
        Migration(name: "0010_idempotency", sql: text(PackageResources._010_idempotency_sql)),
        Migration(name: "0011_tenancy", sql: text(PackageResources._011_tenancy_sql)),
        Migration(name: "0012_sessions", sql: text(PackageResources._012_sessions_sql)),
        Migration(name: "0013_accounts", sql: text(PackageResources._013_accounts_sql)),
        Migration(name: "0014_api_keys", sql: text(PackageResources._014_api_keys_sql)),
        Migration(name: "0015_audit", sql: text(PackageResources._015_audit_sql)),
        Migration(name: "0016_identities", sql: text(PackageResources._016_identities_sql)),
    ]

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
