import TestSupport
import Testing

@testable import RateLimit

extension DatabaseTests {
    /// A session plans each statement of a function once and keeps the plan, so what was cheapest while the tables were empty is
    /// what it does when they are full.
    @Suite("The plans that a connection keeps")
    struct StatementPlanTests {
        @Test("read the rows that are asked for and no others, also when they were made of tables known to be empty")
        func keptPlans() throws {
            let database = try LimitsDatabase()
            let user = try database.makeUser()
            let session = try database.makeSession(of: user)
            // What an operator's nightly maintenance does: from now on the planner knows that there is nothing.
            try database.run("vacuum (analyze)")
            func completion(_ id: String) -> String {
                """
                select verdict from reserve_completions(
                    gen_random_uuid(), array['\(id)'::uuid], array[gen_random_uuid()], array['\(user)'::uuid],
                    array['\(session)'::uuid], '{1}', '{1}', '{m}', array[null::uuid], '{""}', false, false);
                select * from note_progress(array['\(id)'::uuid], '{1}', '{1}');
                select * from settle_completions(
                    array['\(id)'::uuid], array[null::uuid], '{1}', '{1}', '{0}', '{0}', '{exact}', '{done}', '{stop}', '{""}',
                    '{""}', false);
                """
            }
            let read = """
                (select sum(pg_stat_get_xact_tuples_returned(oid))::bigint from pg_class
                where relnamespace = 'public'::regnamespace and relkind in ('r', 'i'))
                """
            let rows = try database.run(
                """
                set plan_cache_mode = force_generic_plan;
                begin;
                \(completion("00000000-0000-4000-8000-000000000001"))
                commit;
                begin;
                insert into users (id, email) select id, id || '@example.com' from (
                    select gen_random_uuid() as id from generate_series(1, 2000)) as u;
                insert into sessions (id, user_id, key_id, token_hash)
                select gen_random_uuid(), '\(user)', 'k', sha256(n::text::bytea) from generate_series(1, 2000) as n;
                insert into reservations (completion_id, attempt, user_id, process_id, reserved_tokens, model, max_tokens)
                select gen_random_uuid(), gen_random_uuid(), id, gen_random_uuid(), 1, 'm', 1 from users;
                insert into usage (
                    completion_id, user_id, model, prompt_tokens, completion_tokens, source, outcome, started_at)
                select gen_random_uuid(), id, 'm', 1, 1, 'exact', 'done', now() from users;
                commit;
                begin;
                select set_config('test.before', \(read)::text, true);
                \(completion("00000000-0000-4000-8000-000000000002"))
                select \(read) - current_setting('test.before')::bigint, (select count(*) from usage);
                """)
            let counts = try #require(rows.last)
            #expect(counts.last == "2003")
            #expect(try #require(counts.first.flatMap { $0 }.flatMap { Int($0) }) < 100)
        }
    }
}
