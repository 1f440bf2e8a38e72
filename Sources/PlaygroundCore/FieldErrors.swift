/// The bad fields of one request, given out in the order of its body.
struct FieldErrors {
    /// The most errors one request is told about: a body may hold tens of thousands of unknown members.
    private static let most = 100

    private var notes: [(position: Int, error: FieldError)] = []

    var isFull: Bool { notes.count >= Self.most }

    /// `position`: where the field stands among the body's members; their count where it is missing.
    mutating func append(_ error: FieldError, position: Int) {
        if !isFull { notes.append((position, error)) }
    }

    /// By position; errors of one field in the order they were found.
    var inOrder: [FieldError] {
        if notes.isEmpty { return [] }
        // The sort is not promised to be stable, so the order of discovery is compared as well.
        return notes.enumerated()
            .sorted { ($0.element.position, $0.offset) < ($1.element.position, $1.offset) }
            .map(\.element.error)
    }
}
