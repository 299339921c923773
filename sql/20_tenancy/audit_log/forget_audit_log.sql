create function tenancy.forget_audit_log(schema_name text)
    returns jsonb
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_last tenancy.audit_seals;
    v_pruned bigint;
begin
    select * into v_last
    from tenancy.audit_seals s
    where s.schema_name = forget_audit_log.schema_name
    order by s.place desc
    limit 1;
    select coalesce(sum(p.removed), 0)::bigint into v_pruned
    from tenancy.audit_prunings p
    where p.schema_name = forget_audit_log.schema_name;

    delete from tenancy.audit_seals s where s.schema_name = forget_audit_log.schema_name;
    delete from tenancy.audit_seal_runs r where r.schema_name = forget_audit_log.schema_name;
    delete from tenancy.audit_prunings p where p.schema_name = forget_audit_log.schema_name;

    return jsonb_build_object(
        'sealed_total', coalesce(v_last.place, 0),
        'head', tenancy.audit_head(v_last.hash, v_last.lasting_hash),
        'pruned', v_pruned
    );
end;
$$;

comment on function tenancy.forget_audit_log(text) is
    'Deletes the hash chain of an audit log that is deleted or lost, and returns its last head and its counts, for the entry tenant.delete of admin_audit_log.';
