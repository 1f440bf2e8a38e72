import Postgres

/// The SQL of prices. Decimals go to and fro as text, so that none is rounded.
enum PriceStatements {
    /// Writes a price, in place of one of the same model and moment. Bills are not touched. Answers the moment, and whether it
    /// had come.
    ///
    /// $1 model, $2 prompt and $3 completion, $4 cached and $5 reasoning or nulls, $6 microseconds since 1970 or null for now.
    static let set = PostgresStatement(
        "price_set",
        """
        insert into prices (model, valid_from, prompt, completion, cached, reasoning)
        values (
            $1::text, coalesce(timestamptz 'epoch' + $6::bigint * interval '1 microsecond', now()), $2::numeric, $3::numeric,
            $4::numeric, $5::numeric)
        on conflict (model, valid_from) do update set
            prompt = excluded.prompt, completion = excluded.completion, cached = excluded.cached, reasoning = excluded.reasoning
        returning (extract(epoch from valid_from) * 1000000)::bigint, valid_from < now()
        """)

    /// All prices, each model's from the first to the last, and which of them are in force.
    static let list = PostgresStatement(
        "price_list",
        """
        select model, (extract(epoch from valid_from) * 1000000)::bigint, trim_scale(prompt), trim_scale(completion),
            trim_scale(cached), trim_scale(reasoning),
            valid_from <= now() and not coalesce(
                lead(valid_from) over (partition by model order by valid_from) <= now(), false)
        from prices order by model = '*', model collate "C", valid_from
        """,
        .read)
}
