create function tenancy.redact_audit_log(schema_name text, user_id uuid)
    returns bigint
    volatile
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_redacted bigint;
begin
    perform tenancy.seal_audit_log(schema_name);

    -- The chain keeps the hash of the original entry. The redacted entry gets a
    -- second hash, so that verify_audit_log notices any later change.
    perform set_config('tenancy.maintaining', tenancy.find_audit_log(schema_name)::text, true);
    execute format(
        'with redacted as ('
        '    update %1$I.audit_log e set old_values = null, new_values = null'
        '    from tenancy.audit_seals s'
        '    where s.schema_name = $1 and s.entry_id = e.id and s.redacted_hash is null'
        '        and e.table_name = ''users'' and e.record_id ->> ''id'' = $2::text'
        '    returning e.*'
        ')'
        ' update tenancy.audit_seals s'
        ' set redacted_hash = %2$s'
        ' from redacted e'
        ' where s.schema_name = $1 and s.entry_id = e.id',
        schema_name, tenancy.audit_entry_hash(schema_name)
    )
    using schema_name, user_id;
    get diagnostics v_redacted = row_count;
    perform set_config('tenancy.maintaining', '', true);

    return v_redacted;
end;
$$;

comment on function tenancy.redact_audit_log(text, uuid) is
    'Removes the values of a user''s profile from the sealed entries of a tenant''s log, and returns the number of these entries.';
