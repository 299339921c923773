create function tenancy.unshare_table(relation regclass)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_keys text[];
    v_is_granted boolean;
begin
    v_keys := array(
        select format('%s of %s', k.conname, k.conrelid::regclass)
        from pg_catalog.pg_constraint k
        join pg_catalog.pg_class c on c.oid = k.conrelid
        where k.contype = 'f'
            and k.confrelid = unshare_table.relation
            and k.conparentid = 0
            and (
                c.relnamespace = 'tenant_template'::regnamespace
                or exists (
                    select from public.tenants t
                    where t.schema_name = (select n.nspname from pg_catalog.pg_namespace n where n.oid = c.relnamespace)
                )
            )
        order by 1
    );
    if cardinality(v_keys) > 0 then
        raise exception 'Table % is still referenced by % foreign keys of the template and the tenants, such as %. Drop them by a tenant migration first, and migrate every tenant.',
            relation, cardinality(v_keys), v_keys[1]
            using errcode = 'dependent_objects_still_exist';
    end if;

    delete from tenancy.shared_tables s
    where s.relation = unshare_table.relation
    returning s.is_granted into v_is_granted;
    if v_is_granted then
        execute format('revoke select on %s from authenticated', relation);
    end if;
end;
$$;

comment on function tenancy.unshare_table(regclass) is
    'Takes back share_table, with the privilege that it granted. Refused while a foreign key of the template or of a tenant references the table (2BP01).';
