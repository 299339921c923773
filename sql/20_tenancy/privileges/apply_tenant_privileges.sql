-- The only function that grants privileges in a tenant, beside open_pooled_tenant. It changes only what grant_differences
-- reports, because writing all privileges again would cost more the larger the schema is.
create function tenancy.apply_tenant_privileges(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_statements text;
begin
    -- The privilege on the schema is revoked first and granted last.
    with wrong as materialized (
        select g.* from tenancy.grant_differences(schema_name) g
    ),
    statements as (
        select 1 as step, w.object_kind,
            format('revoke all on %s %s from %s;',
                w.object_kind, string_agg(w.object_name, ', '), w.grantee) as statement
        from wrong w
        where w.found is not null
        group by w.object_kind, w.grantee
        union all
        select 2, o.object_kind,
            format('grant %s on %s %s to %s;',
                o.expected, o.object_kind, string_agg(o.object_name, ', '), o.grantees)
        from (
            select w.object_kind, w.object_name, w.expected, string_agg(w.grantee, ', ' order by w.grantee) as grantees
            from wrong w
            where w.expected is not null
            group by w.object_kind, w.object_name, w.expected
        ) o
        group by o.object_kind, o.expected, o.grantees
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
    'Sets the privileges of the API roles on a tenant''s schema, tables, views, sequences and routines to what grant_differences expects. Only under lock_tenant.';
