create function tenancy.audit_entry_hash(schema_name text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    -- The columns are listed by name, because a column that is added later must not change old
    -- hashes. Each column has a hash of its own: nesting the values in one document, or joining
    -- their texts, would fail for the deepest or the largest value that a column can hold.
    select format(
        'sha256(%s)',
        string_agg(
            format('coalesce(sha256(convert_to(e.%I::text, ''UTF8'')), decode(repeat(''00'', 32), ''hex''))', c.name),
            ' || ' order by c.place
        )
    )
    from unnest(
        case
            when schema_name = 'public' then array['id', 'occurred_at', 'actor_id', 'actor_role', 'action', 'schema_name', 'tenant_id', 'details', 'request_id']
            else array['id', 'occurred_at', 'actor_id', 'actor_role', 'action', 'table_name', 'record_id', 'old_values', 'new_values']
        end
    ) with ordinality c (name, place);
$$;

comment on function tenancy.audit_entry_hash(text) is
    'SHA-256 of an entry, as an SQL expression over the alias e. The text of a time depends on the session, so the caller sets timezone and datestyle.';
