create function tenancy.register_tenant_schema(
    schema_name text,
    display_name text default null,
    dry_run boolean default false,
    drop_keys_to_auth boolean default false
)
    returns setof tenancy.adoption_step
    volatile
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    -- The body of a routine has to be valid in the tenant's search path and not in this one.
    set check_function_bodies = off
    set lock_timeout = '2s'
    language plpgsql
as $$
declare
    v_steps tenancy.adoption_step[];
    v_dropped tenancy.adoption_step[];
    v_findings_before text[];
    v_is_tenant boolean := false;
    v_reasons text;
    v_remedies text;
begin
    begin
        perform tenancy.require_schema_name(schema_name);
    exception
        when sqlstate 'PT400' then
            if not dry_run then
                raise;
            end if;
            return query select 'refused', 'schema', schema_name, sqlerrm, tenancy.way_to_rename(schema_name);
            return;
    end;
    perform tenancy.require_text('display_name', coalesce(display_name, schema_name), 200, shortest => 1);
    if to_regnamespace(quote_ident(schema_name)) is null then
        raise exception 'There is no schema "%".', schema_name
            using errcode = 'PT404', detail = 'schema_not_found',
                hint = 'A new tenant is made by create_tenant_schema.';
    end if;

    begin
        if drop_keys_to_auth then
            v_dropped := tenancy.drop_keys_to_auth(schema_name);
        end if;
        v_findings_before := array(
            select concat_ws(' ', f.kind, f.object, f.detail) from tenancy.schema_findings() f
        );

        insert into public.tenants (schema_name, display_name, schema_version, created_by)
        values (
            schema_name, coalesce(display_name, schema_name), tenancy.lock_latest_version(),
            (tenancy.caller()).user_id
        )
        -- If another call adopts or creates this tenant, this one waits here.
        on conflict on constraint tenants_schema_name_key do nothing;
        if not found then
            v_is_tenant := true;
            raise sqlstate 'TN000';
        end if;

        -- In one order, and all at once: a stronger lock that is asked for later may deadlock.
        perform tenancy.lock_tables(schema_name, l.names)
        from (
            select array_agg(c.relname::text) as names
            from unnest(tenancy.table_oids(schema_name)) t (oid)
            join pg_catalog.pg_class c on c.oid = t.oid
            -- A table of another owner is refused below.
            where c.relowner = current_user::regrole
        ) l
        where l.names is not null;
        v_steps := tenancy.adopt_schema(schema_name, v_findings_before, coalesce(v_dropped, '{}'));
        if dry_run or exists (select from unnest(v_steps) s where s.outcome = 'refused') then
            -- Rolls back the adoption, and with it the notifications to PostgREST.
            raise sqlstate 'TN000';
        end if;
    exception
        when sqlstate 'TN000' then
            null;
        when deadlock_detected or lock_not_available then
            raise;
        when others then
            v_steps := array[row('refused', 'schema', schema_name, sqlerrm, null)::tenancy.adoption_step];
    end;
    if v_is_tenant then
        raise exception 'There already is a tenant "%".', schema_name
            using errcode = 'PT409', detail = 'tenant_exists',
                hint = 'It is a tenant already: nothing has to be done. If no list shows it, it is in the pool of ready tenants.';
    end if;

    if not dry_run then
        select
            string_agg(format('%s %s: %s', s.object_kind, s.object_name, rtrim(s.detail, '.')), '; '),
            string_agg(distinct s.remediation, E'\n')
        into v_reasons, v_remedies
        from unnest(v_steps) s
        where s.outcome = 'refused';
        if v_reasons is not null then
            raise exception 'Schema "%" cannot become a tenant: %.', schema_name, tenancy.one_line(v_reasons)
                using errcode = 'PT409', detail = 'schema_refused',
                    hint = 'Change these objects by hand, then try again.' || coalesce(E'\n' || left(v_remedies, 8000), '') || E'\nNothing was changed.';
        end if;
    end if;

    return query select s.* from unnest(v_steps) s;
exception
    when deadlock_detected or lock_not_available then
        perform tenancy.raise_busy();
    when query_canceled then
        raise exception 'Schema "%" was not made a tenant within the time that this call has.', schema_name
            using errcode = 'PT429', detail = 'busy',
                hint = 'Nothing was changed. Try again while nobody uses the schema, or run `tenantry adopt`, whose session has more time.';
end;
$$;

comment on function tenancy.register_tenant_schema(text, text, boolean, boolean) is
    'Makes an existing schema a tenant, completely or not at all, and returns what has become of its objects. Its tables become tenant tables; the template''s tables are added at the latest version. A dry run does the same and rolls it back; it also returns what refuses the schema. drop_keys_to_auth drops foreign keys to tables of Auth first, which locks these tables until the end. (PT400 invalid_schema_name, PT404 schema_not_found, PT409: tenant_exists, schema_refused; PT422 invalid_request, PT429 busy.)';
