create function public.grant_schema_access(
    schema_name text,
    user_id uuid,
    access_level public.access_level default 'read',
    expires_at timestamptz default null
)
    returns public.user_schema_access
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    v_tenant public.tenants;
    v_before public.user_schema_access;
    v_after public.user_schema_access;
begin
    perform tenancy.require_standing(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.require_user(user_id);
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.require_grantable(schema_name, user_id, access_level, expires_at);

    select * into v_before
    from public.user_schema_access a
    where a.user_id = grant_schema_access.user_id
        and a.schema_name = grant_schema_access.schema_name;
    if v_before.access_level = grant_schema_access.access_level
        and v_before.expires_at is not distinct from grant_schema_access.expires_at
    then
        return v_before;
    end if;

    insert into public.user_schema_access as a (user_id, schema_name, access_level, expires_at, granted_by)
    values (user_id, schema_name, access_level, expires_at, v_caller.user_id)
    on conflict on constraint user_schema_access_pkey do update
    set access_level = excluded.access_level,
        expires_at = excluded.expires_at,
        granted_by = excluded.granted_by,
        granted_at = now()
    where a.user_id = excluded.user_id and a.schema_name = excluded.schema_name
    returning * into v_after;

    perform tenancy.log_action(
        'access.grant', v_tenant,
        jsonb_build_object(
            'before', case when v_before.user_id is not null then to_jsonb(v_before) end,
            'after', to_jsonb(v_after)
        )
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.grant_schema_access(text, uuid, public.access_level, timestamptz) is
    'Lets a user into a tenant at a level, until expires_at (null: until revoked); replaces what they had. Repeating it changes nothing. Nobody changes their own grant, except that platform admins may let themselves in. A tenant admin whose own grant expires can grant neither admin nor anything past that moment. Admins of the tenant or of the platform. Errors: tenant_not_found, user_not_found, own_grant, tenant_suspended, forbidden, not_authenticated, busy.';

create function public.promote_to_admin(user_id uuid, role public.platform_role default 'admin')
    returns public.admin_users
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    -- Before the change: it may be the caller's own.
    v_actor_role constant text := tenancy.actor_role(null);
    v_before public.admin_users;
    v_after public.admin_users;
begin
    perform tenancy.require_platform_role('super_admin');
    perform tenancy.require_user(user_id);
    -- Again, now that the caller is locked: they may have been deleted while waiting.
    perform tenancy.require_platform_role('super_admin');
    if role < 'super_admin' then
        perform tenancy.require_other_super_admin(user_id);
    end if;

    select * into v_before from public.admin_users a where a.user_id = promote_to_admin.user_id for update;
    if v_before.role = promote_to_admin.role then
        return v_before;
    end if;

    insert into public.admin_users as a (user_id, role, granted_by)
    values (user_id, role, v_caller.user_id)
    on conflict on constraint admin_users_pkey do update
    set role = excluded.role, granted_by = excluded.granted_by
    where a.user_id = excluded.user_id
    returning * into v_after;

    perform tenancy.log_action(
        'admin.promote', null,
        jsonb_build_object(
            'before', case when v_before.user_id is not null then to_jsonb(v_before) end,
            'after', to_jsonb(v_after)
        ),
        v_actor_role
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.promote_to_admin(uuid, public.platform_role) is
    'Gives a user a platform role in place of the one they had, which may be higher. The first super_admin is made with the service key. Repeating it changes nothing. super_admins. Errors: user_not_found, last_super_admin, forbidden, not_authenticated, busy.';

create function public.revoke_admin(user_id uuid)
    returns public.admin_users
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    -- Before the change: it may be the caller's own.
    v_actor_role constant text := tenancy.actor_role(null);
    v_before public.admin_users;
begin
    perform tenancy.require_platform_role('super_admin');
    perform tenancy.require_other_super_admin(user_id);

    delete from public.admin_users a
    where a.user_id = revoke_admin.user_id
    returning * into v_before;
    if v_before.user_id is null then
        raise exception 'User % has no platform role.', user_id
            using errcode = 'PT404', detail = 'user_not_found',
                hint = 'There is nothing to revoke.';
    end if;

    perform tenancy.log_action(
        'admin.revoke', null, jsonb_build_object('before', to_jsonb(v_before)), v_actor_role
    );

    return v_before;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.revoke_admin(uuid) is
    'Takes a user''s platform role away, from their next request on; returns what it was. Never from the last super_admin. super_admins. Errors: user_not_found, last_super_admin, forbidden, not_authenticated, busy.';

create function public.revoke_schema_access(schema_name text, user_id uuid)
    returns public.user_schema_access
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_own constant boolean := user_id = (tenancy.caller()).user_id;
    -- Before the change: it may be the caller's own.
    v_actor_role constant text := tenancy.actor_role(schema_name);
    v_tenant public.tenants;
    v_before public.user_schema_access;
begin
    v_tenant := tenancy.lock_tenant(
        schema_name,
        platform => 'admin',
        member => case when v_own then 'read'::public.access_level else 'admin' end
    );

    delete from public.user_schema_access a
    where a.user_id = revoke_schema_access.user_id
        and a.schema_name = revoke_schema_access.schema_name
    returning * into v_before;
    if v_before.user_id is null then
        raise exception 'User % has no access to tenant "%".', user_id, schema_name
            using errcode = 'PT404', detail = 'user_not_found',
                hint = 'There is nothing to revoke.';
    end if;

    perform tenancy.log_action(
        'access.revoke', v_tenant, jsonb_build_object('before', to_jsonb(v_before)), v_actor_role
    );

    return v_before;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.revoke_schema_access(text, uuid) is
    'Takes a user''s access to a tenant away, from their next request on; returns what it was. Admins of the tenant or of the platform, and members for themselves. Errors: tenant_not_found, user_not_found, tenant_suspended, forbidden, not_authenticated, busy.';
