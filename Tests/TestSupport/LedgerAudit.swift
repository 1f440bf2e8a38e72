/// What a database wrote down about every change of its limits, in the order in which each row was changed, and whether an
/// arithmetic of another hand comes to the same.
///
/// Triggers keep the record, so it is as durable as what it is about, and nothing the server does passes it by.
package struct LedgerAudit: Sendable {
    /// The triggers and their table. What the rows of limits hold at this moment is where the record begins.
    package static let triggers = """
        create table ledger_audit (
            seq bigint generated always as identity,
            transaction text not null default pg_current_xact_id()::text,
            kind text not null,
            scope uuid not null,
            completion_id uuid,
            tokens bigint,
            moment bigint,
            bucket bigint[]
        );
        create function audit_moment(moment timestamptz) returns bigint language sql
            as $$ select (extract(epoch from moment) * 1000000)::bigint $$;
        create function audit_bucket(b buckets) returns bigint[] language sql
            as $$
                select array[
                    b.requests_per_minute, b.request_units, b.tokens_per_minute, b.token_units, b.in_flight, audit_moment(b.at),
                    case when isfinite(b.day) then b.day - date '1970-01-01' end, b.day_tokens,
                    case when isfinite(b.month) then b.month - date '1970-01-01' end, b.month_tokens]
            $$;
        create function audit_limits() returns trigger language plpgsql security definer
        as $$
        begin
            if tg_table_name = 'buckets' then
                insert into ledger_audit (kind, scope, bucket) values ('row', new.scope, audit_bucket(new));
            elsif tg_table_name = 'reservations' and tg_op = 'INSERT' then
                if new.process_id is not null then
                    insert into ledger_audit (kind, scope, completion_id, tokens, moment)
                    values ('reserve', new.user_id, new.completion_id, new.reserved_tokens, audit_moment(new.created_at));
                end if;
            elsif tg_table_name = 'reservations' then
                if old.process_id is not null then
                    insert into ledger_audit (kind, scope, completion_id, tokens, moment)
                    values ('release', old.user_id, old.completion_id, old.reserved_tokens, audit_moment(old.created_at));
                end if;
            elsif tg_op = 'INSERT' then
                insert into ledger_audit (kind, scope, completion_id, tokens)
                values ('bill', new.user_id, new.completion_id, new.prompt_tokens + new.completion_tokens);
            else
                insert into ledger_audit (kind, scope, completion_id, tokens, moment)
                values ('correct', new.user_id, new.completion_id,
                    old.prompt_tokens + old.completion_tokens - new.prompt_tokens - new.completion_tokens,
                    audit_moment(new.started_at));
            end if;
            return null;
        end
        $$;
        create trigger audit after update on buckets for each row execute function audit_limits();
        create trigger audit after insert or delete on reservations for each row execute function audit_limits();
        create trigger audit after insert or update on usage for each row execute function audit_limits();
        insert into ledger_audit (kind, scope, bucket) select 'begin', scope, audit_bucket(b) from buckets b;
        """

    /// What ``init(rows:)`` takes.
    package static let query = """
        select transaction, kind, scope::text, completion_id::text, tokens::text, moment::text, array_to_string(bucket, ',', '-')
        from ledger_audit order by seq
        """

    /// The scope of the instance's own row.
    package static let instance = "ffffffff-ffff-ffff-ffff-ffffffffffff"

    private struct Entry {
        var kind = ""
        var transaction = ""
        var scope = ""
        var completion = ""
        var tokens: Int64 = 0
        var moment: Int64 = 0
        var bucket: ModelAccount?
    }

    /// What a transaction has done about one user and not yet written to the user's row.
    private struct Pending {
        var reserved: [Entry] = []
        var released: [Entry] = []
        var billed: [String: Int64] = [:]
        var corrected: [Entry] = []

        var isEmpty: Bool { reserved.isEmpty && released.isEmpty && corrected.isEmpty }
    }

    private let entries: [Entry]

    /// - Parameter rows: of ``query``.
    package init(rows: [[String?]]) throws {
        entries = try rows.map { row in
            var entry = Entry()
            entry.transaction = row[0] ?? ""
            entry.kind = row[1] ?? ""
            entry.scope = row[2] ?? ""
            entry.completion = row[3] ?? ""
            entry.tokens = row[4].flatMap { Int64($0) } ?? 0
            entry.moment = row[5].flatMap { Int64($0) } ?? 0
            if let bucket = row[6] { entry.bucket = try Self.account(bucket) }
            return entry
        }
    }

    private static func account(_ text: String) throws -> ModelAccount {
        let values = text.split(separator: ",").map { Int64($0) }
        guard values.count == 10, let at = values[5] else { throw TestFailure("not a row of limits: \(text)") }
        var account = ModelAccount(at: at)
        account.requestsPerMinute = values[0]
        account.requestUnits = values[1] ?? 0
        account.tokensPerMinute = values[2]
        account.tokenUnits = values[3] ?? 0
        account.inFlight = values[4] ?? 0
        account.day = values[6]
        account.dayTokens = values[7] ?? 0
        account.month = values[8]
        account.monthTokens = values[9] ?? 0
        return account
    }

    /// Ids that were admitted, and how often.
    package var admissions: [String: Int] {
        entries.reduce(into: [:]) { counts, entry in if entry.kind == "reserve" { counts[entry.completion, default: 0] += 1 } }
    }

    /// Ids whose admissions were undone, so that nothing is billed for them, and how often.
    package var voids: [String: Int] {
        let billed = Set(entries.filter { $0.kind == "bill" }.map { $0.transaction + $0.completion })
        return entries.reduce(into: [:]) { counts, entry in
            if entry.kind == "release", !billed.contains(entry.transaction + entry.completion) {
                counts[entry.completion, default: 0] += 1
            }
        }
    }

    /// Goes through the record once more with the model's arithmetic. Every admission has to fit the limits and every window of
    /// time, and every row has to hold, to the unit, what follows from the one before and from what was admitted or settled.
    /// - Parameter limits: of each user, unchanged from the record's begin to its end.
    /// - Returns: what is wrong; nothing where all is well.
    package func violations(limits: [String: LimiterModel.Limits]) -> [String] {
        var found: [String] = []
        var accounts: [String: ModelAccount] = [:]
        var windows: [String: (requests: WindowCheck, tokens: WindowCheck)] = limits.mapValues {
            (WindowCheck(perMinute: $0.requestsPerMinute), WindowCheck(perMinute: $0.tokensPerMinute))
        }
        var pending: [String: Pending] = [:]
        for entry in entries where entry.scope != Self.instance {
            let key = entry.transaction + entry.scope
            switch entry.kind {
            case "reserve": pending[key, default: Pending()].reserved.append(entry)
            case "release": pending[key, default: Pending()].released.append(entry)
            case "bill": pending[key, default: Pending()].billed[entry.completion] = entry.tokens
            case "correct": pending[key, default: Pending()].corrected.append(entry)
            case "begin": accounts[entry.scope] = entry.bucket
            default:
                guard let stored = entry.bucket, let limits = limits[entry.scope], var account = accounts[entry.scope] else {
                    found.append("a row of nobody's: \(entry.scope)")
                    continue
                }
                let work = pending.removeValue(forKey: key) ?? Pending()
                if work.isEmpty { found.append("a row was changed for nothing: \(entry)") }
                if work.reserved.isEmpty {
                    let given = Self.settle(work, into: &account, at: stored.at)
                    _ = windows[entry.scope]?.requests.take(-given.requests, at: stored.at, isAdmission: false)
                    _ = windows[entry.scope]?.tokens.take(-given.tokens, at: stored.at, isAdmission: false)
                } else {
                    Self.admit(work, into: &account, at: stored.at, limits)
                    found += Self.excess(account, limits, entry.scope)
                }
                for taken in work.reserved {
                    let fits = (
                        windows[entry.scope]?.requests.take(1, at: stored.at, isAdmission: true),
                        windows[entry.scope]?.tokens.take(taken.tokens, at: stored.at, isAdmission: true)
                    )
                    if fits != (true, true) { found.append("\(entry.scope): more in a window than burst and rate") }
                }
                if account != stored { found.append("\(entry.scope) has \(stored) instead of \(account)") }
                accounts[entry.scope] = stored
            }
        }
        for (key, work) in pending where !work.isEmpty { found.append("never written to its row: \(key) \(work)") }
        return found
    }

    private static func admit(_ work: Pending, into account: inout ModelAccount, at moment: Int64, _ limits: LimiterModel.Limits)
    {
        account.advance(to: moment, requestsPerMinute: limits.requestsPerMinute, tokensPerMinute: limits.tokensPerMinute)
        for taken in work.reserved { account.admit(taken.tokens) }
    }

    /// - Returns: what it gives back in all.
    private static func settle(
        _ work: Pending, into account: inout ModelAccount, at moment: Int64
    ) -> (requests: Int64, tokens: Int64) {
        account.advance(to: moment)
        var given: (slots: Int64, requests: Int64, tokens: Int64, ofDay: Int64, ofMonth: Int64) = (0, 0, 0, 0, 0)
        func giveBack(_ tokens: Int64, admittedAt: Int64) {
            given.tokens += tokens
            if UTCCalendar.day(admittedAt) >= account.day ?? .min { given.ofDay += tokens }
            if UTCCalendar.month(admittedAt) >= account.month ?? .min { given.ofMonth += tokens }
        }
        for release in work.released {
            given.slots += 1
            if work.billed[release.completion] == nil { given.requests += 1 }
            giveBack(release.tokens - (work.billed[release.completion] ?? 0), admittedAt: release.moment)
        }
        for correction in work.corrected { giveBack(correction.tokens, admittedAt: correction.moment) }
        account.charge(
            slots: -given.slots, requests: -given.requests, tokens: -given.tokens, ofDay: -given.ofDay, ofMonth: -given.ofMonth)
        return (given.requests, given.tokens)
    }

    /// Which limits an account exceeds right after an admission.
    private static func excess(_ account: ModelAccount, _ limits: LimiterModel.Limits, _ scope: String) -> [String] {
        var found: [String] = []
        if account.requestUnits < 0 { found.append("\(scope): more requests than the bucket held") }
        if account.tokenUnits < 0 { found.append("\(scope): more tokens than the bucket held") }
        if let most = limits.concurrentStreams, account.inFlight > most {
            found.append("\(scope): \(account.inFlight) at one time")
        }
        if let most = limits.tokensPerDay, account.dayTokens > most { found.append("\(scope): \(account.dayTokens) on a day") }
        if let most = limits.tokensPerMonth, account.monthTokens > most {
            found.append("\(scope): \(account.monthTokens) in a month")
        }
        return found
    }
}
