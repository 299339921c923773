create function tenancy.audit_entry_columns(schema_name text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- Written out, because a column added later must not change old hashes.
    return case
        when schema_name = 'public' then
            'e.id, e.occurred_at, e.actor_id, e.actor_role, e.action, e.schema_name, e.tenant_id, e.details, e.request_id'
        else
            'e.id, e.occurred_at, e.actor_id, e.actor_role, e.action, e.table_name, e.record_id, e.old_values, e.new_values'
    end;
end;
$$;

comment on function tenancy.audit_entry_columns(text) is
    'What of an entry is sealed, as a select list over the alias e.';
