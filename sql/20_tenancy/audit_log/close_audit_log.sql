create function tenancy.close_audit_log(schema_name text)
    returns public.audit_seal
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_seal public.audit_seal;
begin
    -- Lock out all writers, so that no entry follows the final seal. Not readers: a load of
    -- PostgREST's schema cache reads every table, and sealing may take long.
    perform tenancy.lock_tables(schema_name, array['audit_log'], 'exclusive');
    v_seal := tenancy.seal_audit_log(schema_name);

    delete from tenancy.audit_seals s where s.schema_name = close_audit_log.schema_name;
    delete from tenancy.audit_seal_runs r where r.schema_name = close_audit_log.schema_name;

    return v_seal;
end;
$$;

comment on function tenancy.close_audit_log(text) is
    'Seals a tenant''s audit log for the last time, deletes its hash chain, and returns the final seal. Called before the tenant''s schema is dropped (55P03).';
