create function tenancy.require_within_budgets(schema_name text, before jsonb)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_limits constant tenancy.platform_settings := (select s from tenancy.platform_settings s);
    v_after constant jsonb := tenancy.budget_usage(schema_name);
    v_exceeded text;
begin
    -- What did not grow is not refused: after a limit was lowered, a tenant may still change.
    select b.kind into v_exceeded
    from (
        values
            ('columns', v_limits.max_columns),
            ('indexes', v_limits.max_indexes),
            ('foreign_keys', v_limits.max_foreign_keys),
            ('text_bytes', v_limits.max_text_bytes)
    ) b (kind, allowed)
    where (v_after ->> b.kind)::bigint > greatest(b.allowed, (before ->> b.kind)::bigint)
    limit 1;

    case v_exceeded
        when 'columns' then
            raise exception 'Tenant "%" has % columns and would have %, and % are allowed.',
                schema_name, before ->> 'columns', v_after ->> 'columns', v_limits.max_columns
                using errcode = 'PT409', detail = 'column_limit',
                    hint = 'Drop columns or tables that are no longer needed, or ask the platform''s staff for a higher limit.';
        when 'indexes' then
            raise exception 'Tenant "%" has % indexes and would have %, and % are allowed.',
                schema_name, before ->> 'indexes', v_after ->> 'indexes', v_limits.max_indexes
                using errcode = 'PT409', detail = 'index_limit',
                    hint = 'Use fewer unique columns and foreign keys, or ask the platform''s staff for a higher limit.';
        when 'foreign_keys' then
            raise exception 'Tenant "%" has % foreign keys and would have %, and % are allowed.',
                schema_name, before ->> 'foreign_keys', v_after ->> 'foreign_keys', v_limits.max_foreign_keys
                using errcode = 'PT409', detail = 'foreign_key_limit',
                    hint = 'Drop a foreign key that is no longer needed, or ask the platform''s staff for a higher limit.';
        when 'text_bytes' then
            raise exception 'The defaults and comments of tenant "%" have % bytes and would have %, and % are allowed.',
                schema_name, before ->> 'text_bytes', v_after ->> 'text_bytes', v_limits.max_text_bytes
                using errcode = 'PT409', detail = 'text_limit',
                    hint = 'Use shorter defaults and descriptions, or ask the platform''s staff for a higher limit.';
        else null;
    end case;
end;
$$;

comment on function tenancy.require_within_budgets(text, jsonb) is
    'Refuses a change by which a tenant has exceeded a budget of platform_settings. before is what tenancy.budget_usage said before the change (PT409: column_limit, index_limit, foreign_key_limit, text_limit).';
