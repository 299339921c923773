create function tenancy.outside_writes(schema_name text)
    returns text[]
    volatile
    security invoker
    set search_path = ''
    set jit = off
    language sql
as $$
    select array(
        select format('%I.%I: %s', s.schemaname, s.relname, s.n_tup_ins + s.n_tup_upd + s.n_tup_del)
        from pg_catalog.pg_stat_xact_user_tables s
        where s.schemaname <> outside_writes.schema_name and s.n_tup_ins + s.n_tup_upd + s.n_tup_del > 0
        order by 1
    )
    -- Without counts nobody knows.
    || case current_setting('track_counts') when 'off' then array[gen_random_uuid()::text] else '{}' end;
$$;

comment on function tenancy.outside_writes(text) is
    'How many rows this transaction has written so far, by table, except in this schema and in PostgreSQL''s own tables. Differs from itself if PostgreSQL does not count.';
