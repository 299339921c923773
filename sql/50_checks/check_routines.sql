-- Audit routines belong to check_audit_routines, which compares more than their source.
create function tenancy.check_routines(schema_name text, differences tenancy.template_difference[])
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select
        'wrong routine',
        schema_name || '.' || d.object_name,
        format(
            'The routine %s.%s %s, compared with the template at the tenant''s version.',
            schema_name, d.object_name, case d.difference when 'missing' then 'is missing' else 'is different' end
        ),
        'Run the doctor with --fix, which creates the routine as the template has it.',
        case when d.expected like 'CREATE OR REPLACE %' then concat_ws(
            ' ',
            d.expected || ';',
            -- PostgreSQL lets everybody execute a new routine.
            case when d.difference = 'missing' then format(
                'revoke all on routine %I.%I%s from public, anon, authenticated, service_role;',
                schema_name, split_part(d.object_name, '(', 1), substr(d.object_name, strpos(d.object_name, '('))
            ) end
        ) end
    from unnest(differences) d
    where d.object_kind = 'routine' and d.difference <> 'extra' and d.expected not like 'audits %'
    order by d.object_name;
end;
$$;

comment on function tenancy.check_routines(text, tenancy.template_difference[]) is
    'Check: routines of the template that a tenant lacks, or has with another definition. The privileges on them are the business of check_tenant_grants.';
