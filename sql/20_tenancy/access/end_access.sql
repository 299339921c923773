create function tenancy.end_access(schema_name text, user_id uuid)
    returns public.user_schema_access
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_left constant boolean := user_id is not distinct from (tenancy.caller()).user_id;
    v_before public.user_schema_access;
begin
    delete from public.user_schema_access a
    where a.user_id = end_access.user_id and a.schema_name = end_access.schema_name
    returning * into v_before;

    -- Otherwise joining by a domain would undo what an admin decided: the end of the access, its
    -- level, or the moment at which it ends.
    if v_before.user_id is not null then
        insert into tenancy.tenants_former_members as f (schema_name, user_id, access_level, expires_at)
        values (
            schema_name, user_id, case when v_left then v_before.access_level end,
            case when v_left then v_before.expires_at end
        )
        on conflict on constraint tenants_former_members_pkey do update
        set access_level = excluded.access_level,
            expires_at = excluded.expires_at,
            ended_at = now()
        where f.schema_name = excluded.schema_name and f.user_id = excluded.user_id;
    end if;

    return v_before;
end;
$$;

comment on function tenancy.end_access(text, uuid) is
    'Ends a user''s access to a tenant and returns it, or null without access, and remembers whether the user left by themselves. Checks nothing; only under a lock of the tenant.';
