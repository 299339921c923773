create function tenancy.share_table(relation regclass)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_obstacle constant text := tenancy.sharing_obstacle(relation);
    v_table pg_catalog.pg_class;
    v_is_granted boolean;
begin
    if v_obstacle is not null then
        raise exception 'Table % cannot be shared: %. Share a table of the project, such as public.products. A foreign key of the template can reference nothing else outside the tenant: write a plain column there.', relation, v_obstacle
            using errcode = 'object_not_in_prerequisite_state';
    end if;

    select * into strict v_table from pg_catalog.pg_class c where c.oid = share_table.relation;
    v_is_granted := not has_table_privilege('authenticated', relation, 'select');
    insert into tenancy.shared_tables (relation, is_granted)
    values (relation, v_is_granted)
    on conflict on constraint shared_tables_pkey do nothing;
    if v_is_granted then
        execute format('grant select on %s to authenticated', relation);
        perform tenancy.reload_schema_cache();
    end if;
    if not v_table.relrowsecurity then
        raise warning 'Table % has no row level security: every signed-in user reads all its rows. Unless that is meant, enable it and write a policy.', relation;
    end if;
end;
$$;

comment on function tenancy.share_table(regclass) is
    'Lets foreign keys of the template reference a table of the project. Grants SELECT on it to authenticated; which rows a user reads is decided by the policies of the table. Grants nothing else, and nothing to anon. Repeating a call changes nothing.';
