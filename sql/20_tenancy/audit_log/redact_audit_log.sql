create function tenancy.redact_audit_log(schema_name text, user_id uuid)
    returns public.tenantry_audit_redaction
    volatile
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_caller constant uuid := (tenancy.caller()).user_id;
    v_kept_since constant timestamptz := now() - tenancy.audit_retention_days() * interval '24 hours';
    v_redaction public.tenantry_audit_redaction;
begin
    perform tenancy.seal_audit_log(schema_name);

    -- Nobody removes the trace of what they did themselves. The service key is nobody's.
    execute format(
        'select count(*) from %1$I.audit_log e'
        ' join tenancy.audit_seals s on s.schema_name = $1 and s.entry_id = e.id'
        ' where s.redacted_hash is null and e.table_name = ''users'' and e.record_id ->> ''id'' = $2::text'
        '     and e.actor_id = $3 and e.occurred_at >= $4',
        schema_name
    )
    into v_redaction.withheld
    using schema_name, user_id, v_caller, v_kept_since;

    -- The chain keeps the hash of the original entry. The redacted entry gets a
    -- second hash, so that verify_audit_log notices any later change.
    perform set_config('tenancy.maintaining', tenancy.find_audit_log(schema_name)::text, true);
    execute format(
        'with redacted as ('
        '    update %1$I.audit_log e set old_values = null, new_values = null'
        '    from tenancy.audit_seals s'
        '    where s.schema_name = $1 and s.entry_id = e.id and s.redacted_hash is null'
        '        and e.table_name = ''users'' and e.record_id ->> ''id'' = $2::text'
        '        and ($3 is null or e.actor_id is distinct from $3 or e.occurred_at < $4)'
        '    returning e.*'
        ')'
        ' update tenancy.audit_seals s'
        ' set redacted_hash = %2$s'
        ' from redacted e'
        ' where s.schema_name = $1 and s.entry_id = e.id',
        schema_name, tenancy.audit_entry_hash(schema_name)
    )
    using schema_name, user_id, v_caller, v_kept_since;
    get diagnostics v_redaction.redacted = row_count;
    perform set_config('tenancy.maintaining', '', true);

    v_redaction.schema_name := schema_name;
    v_redaction.user_id := user_id;

    return v_redaction;
end;
$$;

comment on function tenancy.redact_audit_log(text, uuid) is
    'Removes the values of a user''s profile from the sealed entries of a tenant''s log, except from young entries that the caller wrote.';
