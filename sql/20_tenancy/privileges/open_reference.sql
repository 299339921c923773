-- REVOKE leaves no trace where nothing is granted. So the reference schema has privileges while a
-- migration runs in it, and new objects get them at once. No role reaches the schema, because
-- USAGE on it is not granted, and nothing of this is committed.
create function tenancy.open_reference(version text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_statement text;
begin
    for v_statement in
        select 'alter default privileges in schema tenant_template '
            || 'grant select, insert, update, delete on tables to authenticated, service_role'
        union all
        select 'alter default privileges in schema tenant_template '
            || 'grant select, usage on sequences to authenticated, service_role'
        union all
        select 'grant select, insert, update, delete on all tables in schema tenant_template to authenticated, service_role'
        union all
        select 'grant select, usage on all sequences in schema tenant_template to authenticated, service_role'
        union all
        select format('grant execute on routine %s to authenticated, service_role', p.oid::regprocedure)
        from pg_catalog.pg_proc p
        where p.pronamespace = 'tenant_template'::regnamespace
            and exists (select from tenancy.tenant_migrations m where p.proname = any (m.callable_routines))
            and not exists (
                select
                from tenancy.tenant_template_limits l
                where l.version = open_reference.version and l.object_kind = 'routine' and l.object_name = p.proname
            )
    loop
        execute v_statement;
    end loop;

    for v_statement in
        select format(
            'revoke %s on %s tenant_template.%I from %I; ',
            l.privilege, l.object_kind, l.object_name, l.grantee
        ) || case when cardinality(l.columns) > 0 then format(
            'grant %s (%s) on tenant_template.%I to %I',
            l.privilege, (select string_agg(quote_ident(c.name), ', ') from unnest(l.columns) c (name)),
            l.object_name, l.grantee
        ) else '' end
        from tenancy.tenant_template_limits l
        where l.version = open_reference.version and l.object_kind <> 'routine'
    loop
        execute v_statement;
    end loop;
end;
$$;

comment on function tenancy.open_reference(text) is
    'Grants on the objects of the reference schema whatever a policy could allow, except what the migrations up to this version have revoked. Only until record_limits, in the same transaction.';
