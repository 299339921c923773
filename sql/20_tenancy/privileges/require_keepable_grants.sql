-- Privileges in a tenant follow from its status, its policies and the declared routines. A
-- migration that grants more would lose it at once, without a word.
create function tenancy.require_keepable_grants(migration tenancy.tenant_migrations)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_problem text;
begin
    with granted as (
        select 'table' as kind, c.relname::text as name, a.grantee
        from pg_catalog.pg_class c
        cross join aclexplode(c.relacl) a
        where c.relnamespace = 'tenant_template'::regnamespace
        union
        select 'table', c.relname, a.grantee
        from pg_catalog.pg_class c
        join pg_catalog.pg_attribute t on t.attrelid = c.oid
        cross join aclexplode(t.attacl) a
        where c.relnamespace = 'tenant_template'::regnamespace
        union
        select 'routine', p.proname, a.grantee
        from pg_catalog.pg_proc p
        cross join aclexplode(p.proacl) a
        where p.pronamespace = 'tenant_template'::regnamespace
            -- PostgreSQL lets PUBLIC execute a new routine.
            and a.grantee <> 0
    )
    select case g.kind
        when 'routine' then format(
            'grants EXECUTE on the routine "%s". Name the routine in the fourth argument instead, array[%L], so that the API may call it while a tenant is active',
            g.name, g.name
        )
        else format(
            'grants privileges on "%s" to %s. Nobody reaches a tenant without signing in: grant to authenticated',
            g.name, case g.grantee when 0 then 'PUBLIC' else g.grantee::regrole::text end
        )
    end
    into v_problem
    from granted g
    where (
            g.grantee in (0, 'anon'::regrole)
            or (
                g.kind = 'routine'
                and g.grantee in ('authenticated'::regrole, 'service_role'::regrole)
                and not exists (
                    select from tenancy.tenant_migrations m
                    where m.position <= migration.position and g.name = any (m.callable_routines)
                )
            )
        )
        -- Default privileges of the project for every schema are no statement of the migration.
        and not exists (
            select
            from pg_catalog.pg_default_acl d
            cross join aclexplode(d.defaclacl) a
            where d.defaclnamespace = 0
                and d.defaclobjtype = any (case g.kind when 'routine' then '{f}' else '{r,S}' end::"char"[])
                and a.grantee = g.grantee
        )
    order by g.kind, g.name
    limit 1;

    if v_problem is null then
        select format(
            'has an INSTEAD OF trigger on the view "%s" whose function "%s" is security definer. It would write with the rights of its owner, past every policy. Make the function security invoker',
            c.relname, p.proname
        )
        into v_problem
        from pg_catalog.pg_trigger g
        join pg_catalog.pg_class c on c.oid = g.tgrelid
        join pg_catalog.pg_proc p on p.oid = g.tgfoid
        where c.relnamespace = 'tenant_template'::regnamespace and c.relkind = 'v' and p.prosecdef
        order by c.relname, g.tgname
        limit 1;
    end if;

    if v_problem is not null then
        raise exception 'Tenant migration % %.', migration.version, v_problem
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'Nothing was registered. Change the tenant migration.';
    end if;
end;
$$;

comment on function tenancy.require_keepable_grants(tenancy.tenant_migrations) is
    'Refuses a tenant migration that grants what a tenant never has: anything to anon or PUBLIC, or a routine that is not declared callable; and a view that would be written with its owner''s rights (55000). Only between open_reference and apply_tenant_privileges.';
