create function tenancy.redact_audit_log(schema_name text, condition text, fields text, user_id uuid)
    returns bigint
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    language plpgsql
as $$
declare
    v_log constant regclass := tenancy.audit_log_of(schema_name);
    v_redacted bigint;
begin
    perform tenancy.seal_audit_log(schema_name);

    -- The chain keeps the hash of what was there; what is there now gets one of its own, so
    -- that it cannot be changed again unnoticed.
    perform set_config('tenancy.maintaining', v_log::text, true);
    execute format(
        'with redacted as ('
        '    update %1$s e set %2$s'
        '    from tenancy.audit_seals s'
        '    where s.schema_name = $1 and s.entry_id = e.id and s.redacted_hash is null and %3$s'
        '    returning %4$s'
        ')'
        ' update tenancy.audit_seals s'
        ' set redacted_hash = sha256(convert_to(jsonb_build_array(%5$s)::text, ''UTF8''))'
        ' from redacted e'
        ' where s.schema_name = $1 and s.entry_id = e.id',
        v_log, fields, condition,
        tenancy.audit_entry_columns(schema_name),
        tenancy.audit_entry_columns(schema_name)
    )
    using schema_name, user_id;
    get diagnostics v_redacted = row_count;
    perform set_config('tenancy.maintaining', '', true);

    return v_redacted;
end;
$$;

comment on function tenancy.redact_audit_log(text, text, text, uuid) is
    'Takes the values out of the sealed entries of a log that meet a condition on the alias e and the user $2; condition and fields are SQL of ours, never a caller''s.';
