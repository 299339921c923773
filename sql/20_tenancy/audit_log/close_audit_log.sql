create function tenancy.close_audit_log(schema_name text)
    returns jsonb
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_counts jsonb;
begin
    -- Lock out all writers, so that no entry follows the final seal. Not readers: a load of
    -- PostgREST's schema cache reads every table, and sealing may take long.
    perform tenancy.lock_tables(schema_name, array['audit_log'], 'exclusive');
    perform tenancy.seal_audit_log(schema_name);

    -- Entries that no seal covers yet are lost, too.
    execute format(
        'select jsonb_build_object('
        '    ''entries'', count(*),'
        '    ''unsealed'', count(*) filter (where not exists ('
        '        select from tenancy.audit_seals s where s.schema_name = $1 and s.entry_id = e.id'
        '    ))'
        ')'
        ' from %I.audit_log e',
        schema_name
    )
    into v_counts
    using schema_name;

    return tenancy.forget_audit_log(schema_name) || v_counts;
end;
$$;

comment on function tenancy.close_audit_log(text) is
    'Seals a tenant''s audit log for the last time and deletes its hash chain. Returns the last head and the number of entries that are lost, for admin_audit_log. Called before the tenant''s schema is dropped (55P03).';
