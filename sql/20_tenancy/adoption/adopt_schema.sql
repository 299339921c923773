create function tenancy.adopt_schema(
    schema_name text,
    findings_before text[],
    steps_before tenancy.adoption_step[]
)
    returns tenancy.adoption_step[]
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_objects constant tenancy.schema_object[] := array(
        select row(o.*)::tenancy.schema_object from tenancy.schema_objects(schema_name) o
    );
    v_privileges constant jsonb := (
        select coalesce(jsonb_agg(to_jsonb(p)), '[]') from tenancy.schema_privileges(schema_name) p
    );
    v_nearest_version constant text := tenancy.nearest_version(schema_name, v_objects);
    -- Whether the schema has everything of some version, as that of a former tenant has.
    v_has_template constant boolean := not exists (
        select from tenancy.tenant_template_objects o
        where o.version = v_nearest_version
            and o.object_kind = 'table'
            and tenancy.find_table(schema_name, o.object_name) is null
    );
    v_defaults text[];
    v_steps tenancy.adoption_step[];
    v_tenant public.tenants;
    v_migration tenancy.tenant_migrations;
    v_statements text;
begin
    if v_has_template then
        update public.tenants t
        set schema_version = v_nearest_version
        where t.schema_name = adopt_schema.schema_name;
    end if;

    -- New privileges would be wider than those of a tenant.
    select array_agg(distinct f.repair), string_agg(distinct f.repair, ' ') into v_defaults, v_statements
    from tenancy.check_default_privileges() f
    where f.object = schema_name and f.repair is not null;
    if v_statements is not null then
        execute v_statements;
    end if;

    v_steps := array(
        select s from tenancy.template_clashes(schema_name, v_objects) s
        union all
        select s from tenancy.adoption_obstacles(schema_name) s
        union all
        select row('refused', f.kind, f.object, f.detail, f.remediation)::tenancy.adoption_step
        from tenancy.schema_findings() f
        where f.kind not like 'warning: %'
            and concat_ws(' ', f.kind, f.object, f.detail) <> all (findings_before)
    );
    if cardinality(v_steps) > 0 then
        return v_steps;
    end if;

    insert into tenancy.tenants_own_objects (schema_name, object_kind, object_name)
    select adopt_schema.schema_name, d.object_kind, d.object_name
    from public.tenants t
    cross join lateral tenancy.schema_differences(adopt_schema.schema_name, t.schema_version, v_objects) d
    where t.schema_name = adopt_schema.schema_name
        and d.difference = 'extra'
        and d.object_kind in ('routine', 'type', 'view', 'relation', 'sequence');
    if v_has_template then
        select string_agg(
            tenancy.difference_statements(adopt_schema.schema_name, d.object_kind, d.object_name, d.expected, d.found), ' '
            -- A trigger needs its routine.
            order by d.object_kind <> 'routine', d.object_kind, d.object_name
        )
        into v_statements
        from public.tenants t
        cross join lateral tenancy.schema_differences(adopt_schema.schema_name, t.schema_version, v_objects) d
        where t.schema_name = adopt_schema.schema_name;
        if v_statements is not null then
            execute v_statements;
        end if;
    else
        perform tenancy.lock_shared_tables('tenant_template', 'share row exclusive');
        perform tenancy.replay_migrations(schema_name);
    end if;
    perform tenancy.adopt_table(schema_name, t.table_name)
    from tenancy.own_tables(schema_name) t
    order by t.table_name;

    select t.* into v_tenant from public.tenants t where t.schema_name = adopt_schema.schema_name;
    loop
        v_migration := tenancy.next_migration(v_tenant.schema_version);
        exit when v_migration.version is null;
        v_tenant := tenancy.advance_tenant(v_tenant, v_migration);
    end loop;
    perform tenancy.apply_tenant_privileges(schema_name);
    perform tenancy.expose_schema(schema_name);

    v_steps := steps_before || array(
        select s
        from tenancy.adoption_steps(
            schema_name,
            v_objects,
            array(select row(o.*)::tenancy.schema_object from tenancy.schema_objects(schema_name) o),
            v_privileges,
            (select coalesce(jsonb_agg(to_jsonb(p)), '[]') from tenancy.schema_privileges(schema_name) p)
        ) s
        union all
        select row(
            'removed', 'default privileges', schema_name, 'They would have opened new objects: ' || d.statement, null
        )::tenancy.adoption_step
        from unnest(v_defaults) d (statement)
        union all
        select row(
            case when f.kind like 'warning: %' then 'warning' else 'refused' end,
            f.kind, f.object, f.detail, f.remediation
        )::tenancy.adoption_step
        from tenancy.tenant_findings(schema_name) f
        union all
        select row(
            'refused', d.object_kind, d.object_name,
            format('It would be %s, compared with the template.', d.difference),
            coalesce('The template has: ' || d.expected, 'The template has no such object.')
        )::tenancy.adoption_step
        from tenancy.schema_differences(
            schema_name,
            v_tenant.schema_version,
            array(select row(o.*)::tenancy.schema_object from tenancy.schema_objects(schema_name) o)
        ) d
        union all
        select row(
            'warning', 'routine', u.routine, format('Members may not execute it, and the %s calls it.', u.used_by),
            'Make it callable by a tenant migration, or move it into a schema that the API does not expose and grant it to authenticated.'
        )::tenancy.adoption_step
        from tenancy.unexecutable_routines(schema_name) u
        union all
        select row(
            'warning', 'trigger', format('%s.%s', c.relname, g.tgname),
            format('It calls %s with the rights of %s for what a member writes.', p.oid::regprocedure, p.proowner::regrole),
            'Check that the routine executes no value of a row, or make it security invoker.'
        )::tenancy.adoption_step
        from tenancy.own_tables(schema_name) t
        join pg_catalog.pg_class c on c.oid = t.relation
        join pg_catalog.pg_trigger g on g.tgrelid = c.oid and not g.tgisinternal
        join pg_catalog.pg_proc p on p.oid = g.tgfoid
        where p.prosecdef
            and p.prosrc not like E'\n<<audit>>%'
            and tenancy.policy_verbs(c.oid) ~ 'insert|update|delete'
    );

    -- The entry keeps what nobody can see afterwards.
    perform tenancy.log_action(
        'tenant.adopt', v_tenant,
        jsonb_build_object(
            'after', to_jsonb(v_tenant),
            'removed', (
                select coalesce(jsonb_agg(format('%s %s: %s', s.object_kind, s.object_name, s.detail)), '[]')
                from unnest(v_steps) s
                where s.outcome = 'removed'
            )
        )
    );
    perform tenancy.reload_schema_cache();

    return v_steps;
end;
$$;

comment on function tenancy.adopt_schema(text, text[], tenancy.adoption_step[]) is
    'Makes a schema, whose registry row this transaction has inserted at the latest version, a tenant, logs that, and returns what has become of its objects, after steps_before, which this transaction has taken; or returns what keeps it from that, and then the caller has to roll back. Only under the locks of its tables. findings_before is what schema_findings said before the row (40P01, 55P03).';
