-- The template says nothing about these tables. Their policies have to be those that
-- enable_tenant_table creates: one access level reads, and one writes or nobody does. What
-- create_table has created lets members read and writers write. Of other tables only the policies
-- that exist show who may have access, so nothing is expected that no policy indicates.
create function tenancy.check_own_policies(schema_name text, objects tenancy.schema_object[])
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    with samples as materialized (
        select s.object_name as name, s.definition,
            split_part(s.object_name, '_', 1) as verb,
            split_part(s.object_name, '_', 2) as audience
        from tenancy.policy_samples(schema_name) s
    ),
    own as materialized (
        select t.*
        from tenancy.own_tables(schema_name) t
        where t.is_audited
            or t.is_logged
            or exists (
                select
                from unnest(objects) o
                join samples s on o.object_name = t.table_name || '.' || s.name
                where o.object_kind = 'policy'
            )
    ),
    present as materialized (
        select o.table_name, substr(o.object_name, length(o.table_name) + 2) as name, o.definition
        from unnest(objects) o
        join own t on t.table_name = o.table_name
        where o.object_kind = 'policy'
    ),
    -- By name, because a wrong policy still shows who should have had access.
    audiences as (
        select t.table_name,
            case when t.is_logged then 'member' else min(s.audience) filter (where s.verb = 'select') end as reader,
            case when t.is_logged then 'writer' else min(s.audience) filter (where s.verb <> 'select') end as writer
        from own t
        left join present p on p.table_name = t.table_name
        left join samples s on s.name = p.name
        group by t.table_name, t.is_logged
    ),
    expected as (
        select a.table_name, s.name, s.definition
        from audiences a
        join samples s on s.audience = case s.verb when 'select' then a.reader else a.writer end
    )
    select
        'wrong policy',
        format('%s.%s', schema_name, w.table_name),
        format(
            'The policy %s on %s.%s %s',
            w.name, schema_name, w.table_name,
            case
                when w.found is null then 'is missing.'
                when w.expected is null then 'is none that enable_tenant_table creates.'
                else 'has another definition than enable_tenant_table gives it.'
            end
        ),
        coalesce(w.creation, w.removal),
        concat_ws(' ', case when w.found is not null then w.removal end, w.creation)
    from (
        select coalesce(e.table_name, p.table_name) as table_name, coalesce(e.name, p.name) as name,
            e.definition as expected, p.definition as found,
            format(
                'drop policy %I on %I.%I;',
                coalesce(e.name, p.name), schema_name, coalesce(e.table_name, p.table_name)
            ) as removal,
            case when e.name is not null then
                tenancy.policy_statement(schema_name, e.table_name, e.name, e.definition)
            end as creation
        from expected e
        full join present p on p.table_name = e.table_name and p.name = e.name
        where e.definition is distinct from p.definition
    ) w
    -- A restrictive policy of the project can only narrow access.
    where not (w.expected is null and w.found like 'restrictive %')
    order by w.table_name, w.name;
end;
$$;

comment on function tenancy.check_own_policies(text, tenancy.schema_object[]) is
    'Check: policies on a tenant''s own tables that are missing, different or extra.';
