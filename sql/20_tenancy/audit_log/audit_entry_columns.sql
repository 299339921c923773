create function tenancy.audit_entry_columns(schema_name text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    -- Listed by name, because a column that is added later must not change old hashes.
    select case
        when schema_name = 'public' then
            'e.id, e.occurred_at, e.actor_id, e.actor_role, e.action, e.schema_name, e.tenant_id, e.details, e.request_id'
        else
            'e.id, e.occurred_at, e.actor_id, e.actor_role, e.action, e.table_name, e.record_id, e.old_values, e.new_values'
    end;
$$;

comment on function tenancy.audit_entry_columns(text) is
    'The columns of an entry that its hash covers, as a select list over the alias e.';
