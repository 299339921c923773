-- Not an RPC: it opens a schema that the project keeps closed, to the service key at once and to
-- whomever a super_admin lets in. That is the decision of the schema's owner.
create function tenancy.register_tenant_schema(
    schema_name text,
    display_name text default null,
    dry_run boolean default false
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
    v_findings_before text[];
    v_list text;
begin
    if to_regnamespace(quote_ident(schema_name)) is null then
        raise exception 'There is no schema "%".', tenancy.printable(schema_name)
            using errcode = 'invalid_schema_name',
                hint = 'A new tenant is made by create_tenant_schema.';
    end if;
    perform tenancy.require_text('display_name', coalesce(display_name, schema_name), 200, shortest => 1);

    begin
        perform tenancy.require_schema_name(schema_name);
        v_findings_before := array(
            select concat_ws(' ', f.kind, f.object, f.detail) from tenancy.schema_findings() f
        );

        insert into public.tenants (schema_name, display_name, schema_version)
        values (schema_name, coalesce(display_name, schema_name), tenancy.lock_latest_version())
        on conflict on constraint tenants_schema_name_key do nothing;
        if not found then
            raise exception 'It is a tenant already.' using errcode = 'object_not_in_prerequisite_state';
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
        v_steps := tenancy.adopt_schema(schema_name, v_findings_before);
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
            v_steps := array[
                row(
                    'refused', 'schema', schema_name, sqlerrm,
                    case
                        when sqlstate <> 'PT400' then null
                        when schema_name !~ '^[a-z][a-z0-9_]{2,62}$' or to_regrole(quote_ident(schema_name)) is not null then
                            format('Rename it by hand: alter schema %I rename to …;', schema_name)
                        else 'Move your tables into a schema of their own: alter table … set schema …;'
                    end
                )::tenancy.adoption_step
            ];
    end;

    if not dry_run then
        select string_agg(
            format(E'\n- %s %s: %s', s.object_kind, s.object_name, concat_ws(' ', s.detail, s.remediation)), ''
        )
        into v_list
        from unnest(v_steps) s
        where s.outcome = 'refused';
        if v_list is not null then
            raise exception 'Schema "%" cannot become a tenant:%', schema_name, v_list
                using errcode = 'object_not_in_prerequisite_state',
                    hint = 'Nothing was changed. Change these objects by hand, then try again.';
        end if;
    end if;

    return query select s.* from unnest(v_steps) s;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function tenancy.register_tenant_schema(text, text, boolean) is
    'Makes an existing schema a tenant, completely or not at all, and returns what has become of its objects. Its tables become tenant tables; the template''s tables are added at the latest version. A dry run does the same and rolls it back. Only the owner can execute it (3F000, 55000, PT422 invalid_request, PT429 busy).';
