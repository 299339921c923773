-- The one place that grants anything in a tenant; what, tenant_privileges says. What is right
-- already is left alone: rewriting it would cost as much as the schema is large.
create function tenancy.apply_tenant_privileges(schema_name text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_statements text;
begin
    -- The schema is closed first and opened last.
    with wrong as materialized (
        select g.* from tenancy.misplaced_grants(schema_name) g
    ),
    statements as (
        select 1 as step, w.object_kind,
            format('revoke all on %s %s from public, anon, authenticated, service_role;',
                w.object_kind, string_agg(distinct w.object_name, ', ')) as statement
        from wrong w
        where w.found is not null
        group by w.object_kind
        union all
        select 2, p.object_kind,
            format('grant %s on %s %s to authenticated, service_role;',
                p.verbs, p.object_kind, string_agg(p.object_name, ', '))
        from tenancy.tenant_privileges(schema_name) p
        where (p.object_kind, p.object_name) in (select w.object_kind, w.object_name from wrong w)
        group by p.object_kind, p.verbs
    )
    select string_agg(
        s.statement, ' '
        order by s.step, case s.step when 1 then s.object_kind <> 'schema' else s.object_kind = 'schema' end
    )
    into v_statements
    from statements s;

    if v_statements is not null then
        execute v_statements;
    end if;
end;
$$;

comment on function tenancy.apply_tenant_privileges(text) is
    'Sets the privileges of the API roles on a tenant''s schema, tables, views, sequences and routines to tenant_privileges. Only under lock_tenant.';
