-- A warning, because such a table may be meant for the tenant's own routines. A table of the
-- template is reported once, for the reference schema.
create function tenancy.check_unreachable_tables(schema_name text)
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select
        'warning: unreachable table',
        format('%s.%s', schema_name, u.table_name),
        format('Table %s.%s: %s', schema_name, u.table_name, u.reason),
        case schema_name
            when 'tenant_template' then 'If that is not intended, write a tenant migration that changes it.'
            else format(
                'If that is not intended, give it policies, as by select tenancy.enable_tenant_table(%L, %L); then: '
                'select tenancy.apply_tenant_privileges(%L);',
                schema_name, u.table_name, schema_name
            )
        end,
        null::text
    from tenancy.unreachable_tables(schema_name) u
    where schema_name = 'tenant_template' or not tenancy.is_template_table(schema_name, u.table_name);
end;
$$;

comment on function tenancy.check_unreachable_tables(text) is
    'Check: tables that no client can reach, because no policy is for signed-in users.';
