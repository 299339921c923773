-- The script is no second place that decides: it repeats what the replay has made, and is used only
-- if both have made the same.
create function tenancy.compile_creation(
    schema_name text,
    out statements text,
    out grants text,
    out opening text,
    out obstacle text
)
    volatile
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    set quote_all_identifiers = off
    language plpgsql
as $$
declare
    v_other_name constant text := tenancy.opaque_schema_name();
begin
    obstacle := tenancy.compiling_obstacle(schema_name);
    if obstacle is null then
        statements := tenancy.script_text(schema_name, tenancy.creation_statements(schema_name));
        grants := tenancy.script_text(schema_name, tenancy.grant_statements(schema_name, of_schema => false));
        opening := tenancy.script_text(schema_name, tenancy.grant_statements(schema_name, of_schema => true));

        insert into public.tenants (schema_name, display_name, schema_version, status, suspended_at)
        select v_other_name, v_other_name, t.schema_version, 'suspended', now()
        from public.tenants t
        where t.schema_name = compile_creation.schema_name;
        perform tenancy.run_creation_script(v_other_name, statements);
        obstacle := 'The script would open a closed tenant: '
            || (select string_agg(d.object_name, ', ') from tenancy.grant_differences(v_other_name) d);
    end if;
    if obstacle is null then
        update public.tenants t
        set status = 'active', suspended_at = null
        where t.schema_name = v_other_name;
        perform tenancy.run_creation_script(v_other_name, concat_ws(E'\n', grants, opening));
        obstacle := 'The script would make other objects: '
            || tenancy.creation_differences(schema_name, v_other_name);
    end if;

    -- Rolls back the second tenant.
    raise sqlstate 'TN000';
exception
    when deadlock_detected or lock_not_available then
        raise;
    when others then
        if sqlstate <> 'TN000' then
            obstacle := 'The script fails: ' || tenancy.one_line(sqlerrm);
        end if;
        if obstacle is not null then
            obstacle := left(obstacle, 1000);
            statements := null;
            grants := null;
            opening := null;
        end if;
end;
$$;

comment on function tenancy.compile_creation(text) is
    'The script that makes a tenant as this one, which a replay has just made; or the obstacle. Runs the script in another schema, compares both, and rolls it back (40P01, 55P03).';
