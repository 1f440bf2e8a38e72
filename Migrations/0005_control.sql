set local lock_timeout = '3s';
set local statement_timeout = '30s';

-- Running completions can be stopped by their owner and asked after, on any replica. All columns may be null: replicas of before
-- do not write them.

alter table reservations
    -- The `max_tokens` it runs with: what the answer to its owner and the bill say, whoever writes them.
    add column max_tokens bigint,
    -- When its owner first asked for its end. The process that runs it is told by NOTIFY, and when it next reports its progress.
    add column stop_requested_at timestamptz;

alter table usage add column max_tokens_applied bigint;
