create function tenancy.require_unchanged_outside(
    migration tenancy.tenant_migrations,
    changes_before text[],
    locks_before text[],
    objects_before refcursor
)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    -- The planner evaluates a stable function in FROM, too. So each is called here.
    v_changes_now constant text[] := tenancy.external_changes();
    v_locks_now constant text[] := tenancy.external_locks();
    v_new_locks constant text[] := array(
        select l.name from unnest(v_locks_now) l (name) where l.name <> all (locks_before)
    );
    v_changed text[] := array(
        select regexp_replace(c.name, ' \([0-9a-f,]+\)$', '')
        from unnest(v_changes_now) c (name)
        where c.name <> all (changes_before)
        union
        select l.name from unnest(v_new_locks) l (name) where l.name not like 'dropped %'
    );
    v_object record;
    v_extensions constant text[] := array(
        select substr(c.name, length('extension ') + 1) from unnest(v_changed) c (name) where c.name like 'extension %'
    );
begin
    if exists (select from unnest(v_new_locks) l (name) where l.name like 'dropped %') then
        loop
            fetch objects_before into v_object;
            exit when not found;
            if v_object.object = any (v_new_locks) then
                v_changed := v_changed || v_object.title;
            end if;
        end loop;
    end if;

    if cardinality(v_extensions) > 0 then
        raise exception 'Tenant migration % creates or changes an extension: %. An extension exists once for the whole project: write "create extension if not exists % with schema extensions;" before the registration, in the same file.', migration.version, array_to_string(v_extensions, ', '), v_extensions[1]
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    if cardinality(v_changed) > 0 then
        raise exception 'Tenant migration % changes objects outside the tenant''s schema: %. The migration runs once in each tenant. Statements that must run once belong before the registration, in the same file.', migration.version, left(array_to_string(array(select c.name from unnest(v_changed) c (name) order by c.name), ', '), 1000)
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.require_unchanged_outside(tenancy.tenant_migrations, text[], text[], refcursor) is
    'Refuses a tenant migration that has created, changed or dropped something outside the reference schema, from what external_changes and external_locks reported before it and an open cursor on present_objects (55000).';
