import PlaygroundCore

/// Which of the running completions are due to be reported to the database; asked every second. Pure.
///
/// One is due when it has been seen for a second (whoever is gone by then is settled, and costs no report), once more as soon as
/// it has output, because a process that dies is billed at what it has reported, and every five seconds from its last report on.
struct ProgressSchedule {
    /// Seconds between two reports of one completion.
    static let interval = 5

    private struct Mark {
        var secondsSinceReport: Int
        var hasReportedOutput: Bool
    }

    private var marks: [CompletionID: Mark] = [:]

    /// A second has passed. `running` are all that run; who is no longer among them is forgotten.
    mutating func due(_ running: [(id: CompletionID, usage: Usage)]) -> [(id: CompletionID, usage: Usage)] {
        var due: [(id: CompletionID, usage: Usage)] = []
        var next: [CompletionID: Mark] = [:]
        next.reserveCapacity(running.count)
        for completion in running {
            guard var mark = marks[completion.id] else {
                next[completion.id] = Mark(secondsSinceReport: Self.interval - 1, hasReportedOutput: false)
                continue
            }
            let hasOutput = completion.usage.completionTokens > 0
            mark.secondsSinceReport += 1
            if mark.secondsSinceReport >= Self.interval || (hasOutput && !mark.hasReportedOutput) {
                mark = Mark(secondsSinceReport: 0, hasReportedOutput: hasOutput)
                due.append(completion)
            }
            next[completion.id] = mark
        }
        marks = next
        return due
    }
}
