package import PlaygroundCore

/// A value bound to $1, $2 ... of a statement; the server takes its type from the statement.
package enum PostgresValue: Sendable, Equatable {
    case null
    case text(String)
    case int(Int64)
    case double(Double)
    case bool(Bool)
    case uuid(UUIDBytes)
    case bytes([UInt8])
    case textArray([String])
    /// Nil stands for NULL, here and below.
    case intArray([Int64?])
    case uuidArray([UUIDBytes?])

    /// NULL for nil.
    package static func text(_ text: String?) -> PostgresValue { text.map { .text($0) } ?? .null }
    /// NULL for nil.
    package static func int(_ integer: Int64?) -> PostgresValue { integer.map { .int($0) } ?? .null }
    /// Any width of integer that the program counts in.
    package static func int(_ integer: Int) -> PostgresValue { .int(Int64(integer)) }
    /// NULL for nil.
    package static func uuid(_ uuid: UUIDBytes?) -> PostgresValue { uuid.map { .uuid($0) } ?? .null }
}
