create function tenancy.adoption_steps(
    schema_name text,
    objects_before tenancy.schema_object[],
    objects_after tenancy.schema_object[],
    privileges_before jsonb,
    privileges_after jsonb
)
    returns setof tenancy.adoption_step
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select s.outcome, s.object_kind, s.object_name, s.detail, s.remediation
    from (
        select 1, 'kept', 'schema', n.nspname::text,
            format('The schema and everything in it belongs to %s, as before.', n.nspowner::regrole),
            null::text
        from pg_catalog.pg_namespace n
        where n.nspname = schema_name
        union all
        select 2, 'made', a.object_kind, a.object_name, 'It is part of the template.', null
        from unnest(objects_after) a
        left join unnest(objects_before) b on b.object_kind = a.object_kind and b.object_name = a.object_name
        where b.object_kind is null
            and (a.object_kind = 'table' or (a.table_name is null and a.definition not like 'audits %'))
        union all
        select 3, 'kept', 'table', t.table_name,
            concat_ws(
                ' ',
                'Its rows, keys, triggers and owner stay.',
                case
                    when t.reader is null then 'No user reaches it, because none did before.'
                    when t.writer is null then 'Members read it, and nobody writes it through the API.'
                    else 'Members read it, and writers write it.'
                end,
                'Its policies ' || t.narrowing || ' narrow that.',
                'Every change is audited.'
            ),
            null
        from (
            select o.table_name,
                min(p.polname) filter (where p.polpermissive and p.polcmd = 'r') as reader,
                min(p.polname) filter (where p.polpermissive and p.polcmd <> 'r') as writer,
                string_agg(p.polname, ', ' order by p.polname) filter (where not p.polpermissive) as narrowing
            from tenancy.own_tables(schema_name) o
            left join pg_catalog.pg_policy p on p.polrelid = o.relation
            group by o.table_name
        ) t
        union all
        select 4, 'kept', b.object_kind, b.object_name,
            case
                when b.object_kind = 'routine' then 'It is the tenant''s own. No API role may call it; triggers go on calling it.'
                when b.object_kind = 'view' and not tenancy.is_security_invoker(c.reloptions) then
                    'It is the tenant''s own. No API role reads it, because it shows rows with the rights of its owner.'
                when c.relkind in ('m', 'f') then 'It is the tenant''s own. No API role reads it, because no policy applies to it.'
                else 'It is the tenant''s own.'
            end,
            case when b.object_kind = 'view' and not tenancy.is_security_invoker(c.reloptions) then
                format(
                    'If members shall read it: alter view %s set (security_invoker = true); select tenancy.apply_tenant_privileges(%L);',
                    c.oid::regclass, schema_name
                )
            end
        from unnest(objects_before) b
        left join pg_catalog.pg_class c
            on c.relname = b.object_name
            and c.relnamespace = to_regnamespace(quote_ident(schema_name))
            and b.object_kind in ('view', 'relation')
        where b.table_name is null
            and exists (
                select from tenancy.tenants_own_objects o
                where o.schema_name = adoption_steps.schema_name
                    and o.object_kind = b.object_kind
                    and o.object_name = b.object_name
            )
        union all
        select 5, case when a.object_kind is null then 'removed' when b.object_kind is null then 'made' else 'changed' end,
            d.object_kind,
            d.object_name,
            -- As a person writes a policy.
            case when a.object_kind is null then 'It was: ' else 'It is: ' end || coalesce(
                case when d.object_kind = 'policy' then tenancy.policy_statement(
                    schema_name, d.table_name, substr(d.object_name, length(d.table_name) + 2), d.definition
                ) end,
                d.definition
            ),
            null
        from (
            select x.*
            from unnest(objects_before) x
            where x.object_kind in ('policy', 'trigger', 'routine', 'table')
        ) b
        full join (
            select x.*
            from unnest(objects_after) x
            where x.object_kind in ('policy', 'trigger', 'routine', 'table')
        ) a on a.object_kind = b.object_kind and a.object_name = b.object_name
        cross join lateral (
            select coalesce(a.object_kind, b.object_kind) as object_kind,
                coalesce(a.object_name, b.object_name) as object_name,
                coalesce(a.table_name, b.table_name) as table_name,
                coalesce(a.definition, b.definition) as definition
        ) d
        cross join lateral tenancy.is_template_table(schema_name, d.table_name) t (is_of_template)
        where a.definition is distinct from b.definition
            -- Every own table gets row level security, the audit and the policies for members.
            and case
                when t.is_of_template or b.object_kind is null then
                    exists (
                        select from unnest(objects_before) w
                        where w.object_kind = 'table' and w.object_name = d.table_name
                    )
                    and (t.is_of_template or (a.object_kind = 'policy' and a.definition like 'restrictive %'))
                else b.object_kind <> 'table'
            end
        union all
        select 6, case when a.privileges is null then 'removed' when b.privileges is null then 'made' else 'changed' end,
            'grant',
            format('%s %s to %s', coalesce(a.object_kind, b.object_kind), coalesce(a.object_name, b.object_name), coalesce(a.grantee, b.grantee)),
            format('It was: %s. It is: %s.', coalesce(b.privileges, 'nothing'), coalesce(a.privileges, 'nothing')),
            null
        from jsonb_to_recordset(privileges_before) b (object_kind text, object_name text, grantee text, privileges text)
        full join jsonb_to_recordset(privileges_after) a (object_kind text, object_name text, grantee text, privileges text)
            on a.object_kind = b.object_kind and a.object_name = b.object_name and a.grantee = b.grantee
        where a.privileges is distinct from b.privileges
            -- The privileges on new objects are the template's.
            and (
                b.object_kind is not null
                or a.object_kind = 'schema'
                or exists (
                    select from unnest(objects_before) o
                    where o.object_name = a.object_name and (o.object_kind = 'routine') = (a.object_kind = 'routine')
                )
            )
    ) s (section, outcome, object_kind, object_name, detail, remediation)
    order by s.section, s.object_kind, s.object_name;
$$;

comment on function tenancy.adoption_steps(text, tenancy.schema_object[], tenancy.schema_object[], jsonb, jsonb) is
    'What has become of each object of a schema that this transaction has made a tenant, from its objects and schema_privileges before and after.';
