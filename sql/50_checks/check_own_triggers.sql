-- create_table audits every table, and so does enable_tenant_table unless it is told otherwise.
-- The triggers are compared with those of the table settings, which the template has.
create function tenancy.check_own_triggers(schema_name text, objects tenancy.schema_object[])
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    with expected as (
        select t.table_name,
            split_part(e.object_name, '.', 2) as name,
            replace(
                replace(
                    e.definition,
                    format(' ON %I.settings ', check_own_triggers.schema_name),
                    format(' ON %I.%I ', check_own_triggers.schema_name, t.table_name)
                ),
                format(' EXECUTE FUNCTION %I.tg_settings__audit()', check_own_triggers.schema_name),
                format(' EXECUTE FUNCTION %I.%I()', check_own_triggers.schema_name, r.routine)
            ) as definition,
            to_regprocedure(format('%I.%I()', check_own_triggers.schema_name, r.routine)) is null as lacks_routine
        from tenancy.own_tables(check_own_triggers.schema_name) t
        cross join lateral tenancy.audit_routine_name(t.table_name) r (routine)
        join public.tenants n on n.schema_name = check_own_triggers.schema_name
        join tenancy.template_objects(check_own_triggers.schema_name, n.schema_version) e
            on e.object_kind = 'trigger' and e.object_name like 'settings.audit\_%'
        where t.is_audited or t.is_logged
    )
    select
        'trigger missing',
        format('%s.%s', check_own_triggers.schema_name, e.table_name),
        format(
            'The trigger %s on %s.%s %s. The audit log may lack changes.',
            e.name, check_own_triggers.schema_name, e.table_name,
            case
                when o.definition is null then 'is missing'
                when o.definition like '%, enabled D' then 'is disabled'
                else 'has another definition than audit_table gives it'
            end
        ),
        s.statements,
        s.statements
    from expected e
    left join unnest(objects) o on o.object_kind = 'trigger' and o.object_name = e.table_name || '.' || e.name
    cross join lateral (
        select case
            -- audit_table creates the routine with all its triggers.
            when not e.lacks_routine then tenancy.trigger_statements(
                check_own_triggers.schema_name, e.table_name, e.name, e.definition, o.definition
            )
            else tenancy.audit_table_statements(check_own_triggers.schema_name, e.table_name)
        end as statements
    ) s
    where e.definition is distinct from o.definition
    order by e.table_name, e.name;
end;
$$;

comment on function tenancy.check_own_triggers(text, tenancy.schema_object[]) is
    'Check: audit triggers on a tenant''s own tables that are missing, disabled or different.';
