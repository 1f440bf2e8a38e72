import Auth
import Mail
import Metrics

/// What operators are told about mails.
final class MailMeters {
    private var counters: [String: Counter] = [:]

    func noted(_ kind: MailKind, _ outcome: MailPostman.Outcome) {
        let key = "\(kind) \(outcome)"
        let counter =
            counters[key] ?? Counter(label: "mails_total", dimensions: [("kind", kind.rawValue), ("outcome", outcome.rawValue)])
        counters[key] = counter
        counter.increment()
    }
}
