-- A migration that inserts into a shared table, for example, may succeed in the reference
-- schema and fail when it runs a second time. From then on no tenant could be created. So the
-- migrations are tried in a second schema.
create function tenancy.check_creatable(
    version text,
    tried_tables text[],
    out problem text,
    out details text,
    out hint text,
    out statements text,
    out grants text,
    out opening text,
    out obstacle text
)
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_schema_name constant text := tenancy.opaque_schema_name();
    v_user_id constant uuid := gen_random_uuid();
    v_writes text[];
    v_context text;
    v_cause text;
begin
    insert into public.tenants (schema_name, display_name, schema_version)
    values (v_schema_name, v_schema_name, version);
    -- Without the script, which the rollback below brings back, the migrations are replayed.
    delete from tenancy.tenant_template_scripts s where s.version = check_creatable.version;
    v_writes := tenancy.outside_writes(v_schema_name);
    perform tenancy.build_tenant_schema(v_schema_name);

    select
        'no tenant could be created: a new tenant would differ from the reference schema: '
            || string_agg(o.object_kind || ' ' || o.object_name, ', ' order by o.object_kind, o.object_name),
        'The tenant was created by replaying all tenant migrations in one transaction.',
        'Write the migration so that it makes the same objects in every schema.'
    into problem, details, hint
    from (
        select coalesce(t.object_kind, r.object_kind) as object_kind, coalesce(t.object_name, r.object_name) as object_name
        from tenancy.schema_objects(v_schema_name) t
        full join tenancy.template_objects(v_schema_name, version) r
            on r.object_kind = t.object_kind and r.object_name = t.object_name
        where r.definition is distinct from t.definition
    ) o;

    if problem is null then
        details := null;
        hint := null;
        obstacle := case
            when tenancy.outside_writes(v_schema_name) <> v_writes then 'Tenant migrations write rows outside the tenant'
            when exists (
                select from tenancy.tenant_migrations m where tenancy.sends_notifications(m.statements)
            ) then 'Tenant migrations send notifications'
        end;
        if obstacle is null then
            select * into statements, grants, opening, obstacle from tenancy.compile_creation(v_schema_name);
        end if;
        problem := tenancy.try_tables(v_schema_name, tried_tables);
    end if;
    if problem is null then
        -- The same insert as insert_profile's for a user without e-mail address and name.
        hint := 'A profile may have no e-mail address and no name. Other columns need a default, or must allow null.';
        execute format(
            'insert into %I.users (id, email, display_name, role, metadata)'
            ' values ($1, null, null, ''member'', ''{}'') on conflict (id) do nothing',
            v_schema_name
        ) using v_user_id;
        hint := null;

        -- Errors of other kinds may be those of a trigger or a constraint that refuses the values.
        select 'the operations on profiles would fail: ' || t.message,
            'Leave the columns id, email, display_name, role, metadata, created_at and updated_at of users as they are, with the key.'
        into problem, hint
        from unnest(array['select tenancy.find_profile(%L, %L)', 'select tenancy.update_profile(%L, %L, null, null)']) s (call)
        cross join lateral tenancy.try_statement(format(s.call, v_schema_name, v_user_id)) t
        where t.code ~ '^42'
        limit 1;
    end if;

    -- Rolls back the tenant, and with it the notification to PostgREST.
    raise sqlstate 'TN000';
exception
    when deadlock_detected or lock_not_available then
        raise;
    when others then
        if sqlstate <> 'TN000' then
            get stacked diagnostics
                problem = message_text,
                details = pg_exception_detail,
                v_context = pg_exception_context;
            -- build_tenant_schema names the migration, and the caller the one at this version.
            v_cause := regexp_replace(problem, '^Tenant migration "[^"]+" fails in a new tenant: ', '');
            problem := concat_ws(
                '. ',
                'no tenant could be created: ' || case
                    when starts_with(problem, format('Tenant migration "%s" ', version)) then v_cause
                    else regexp_replace(problem, '^Tenant', 'tenant')
                end,
                nullif(rtrim(details, '.'), '')
            );
            details := left(v_context, 2000);
            hint := coalesce(
                hint,
                nullif(tenancy.statement_advice(sqlstate, v_cause), ''),
                'The migration was tried in a second schema, as it will run in each tenant. Statements that must run once belong before the registration, in the same file.'
            );
        end if;
end;
$$;

comment on function tenancy.check_creatable(text, text[]) is
    'The creation script at this version, or the obstacle; and the problem, if no tenant could be created at this version, if a new tenant would differ from the reference schema, if it could hold no profiles, or if people would have more or less access to these tables than they should; otherwise null. Creates a tenant and rolls it back (40P01, 55P03).';
