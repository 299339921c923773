create function public.create_user_profile(
    schema_name text,
    user_id uuid,
    display_name text default null,
    role text default 'member',
    metadata jsonb default '{}'
)
    returns public.user_profile
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_profile public.user_profile;
begin
    perform tenancy.require_standing(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.require_user(user_id);
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    if not tenancy.insert_profile(schema_name, user_id, display_name, role, metadata) then
        raise exception 'User % already has a profile in tenant "%".', user_id, schema_name
            using errcode = 'PT409', detail = 'profile_exists',
                hint = 'Read it with get_user_profile.';
    end if;
    v_profile := tenancy.find_profile(schema_name, user_id);

    -- Staff read this log, and they read no rows of tenants: the values stand in the
    -- tenant's own.
    perform tenancy.log_action(
        'profile.create', v_tenant, jsonb_build_object('after', jsonb_build_object('id', v_profile.id))
    );

    return v_profile;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.create_user_profile(text, uuid, text, text, jsonb) is
    'Makes a profile for a user. It grants nothing: access is for grant_schema_access. role is the product''s own label; metadata is a JSON object. Admins of the tenant or of the platform. Errors: tenant_not_found, user_not_found, profile_exists, tenant_suspended, forbidden, not_authenticated, busy.';

create function public.ensure_user_profile(schema_name text, display_name text default null)
    returns public.ensured_user_profile
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
    v_tenant public.tenants;
    v_profile public.user_profile;
    v_is_new boolean := false;
begin
    perform tenancy.require_standing(schema_name, platform => null, member => 'read');

    -- Every sign-in comes through here, nearly always to find a profile: no lock for that.
    v_profile := tenancy.find_profile(schema_name, v_user_id);

    if v_profile.id is null then
        perform tenancy.require_user(v_user_id);
        v_tenant := tenancy.lock_tenant(schema_name, platform => null, member => 'read');
        v_is_new := tenancy.insert_profile(schema_name, v_user_id, display_name);
        v_profile := tenancy.find_profile(schema_name, v_user_id);
    end if;

    if v_is_new then
        -- Staff read this log, and they read no rows of tenants: the values stand in the
        -- tenant's own.
        perform tenancy.log_action(
            'profile.create', v_tenant, jsonb_build_object('after', jsonb_build_object('id', v_profile.id))
        );
    end if;

    return row(v_profile.*, v_is_new)::public.ensured_user_profile;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.ensure_user_profile(text, text) is
    'The caller''s profile in a tenant, made if there was none (is_new). Any number of calls at once make one row. display_name counts for a new profile only. Members, for themselves. Errors: tenant_not_found, tenant_suspended, forbidden, not_authenticated, user_not_found, busy.';

create function public.get_user_profile(schema_name text, user_id uuid default null)
    returns public.user_profile
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := coalesce(user_id, (tenancy.caller()).user_id);
    v_profile public.user_profile;
begin
    perform tenancy.require_standing(schema_name, platform => null, member => 'read');

    v_profile := tenancy.find_profile(schema_name, v_user_id);
    if v_profile.id is null then
        raise exception 'User % has no profile in tenant "%".', v_user_id, schema_name
            using errcode = 'PT404', detail = 'profile_not_found',
                hint = 'They get one by calling ensure_user_profile, or an admin makes it with create_user_profile.';
    end if;

    return v_profile;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_user_profile(text, uuid) is
    'A profile in a tenant, the caller''s own if user_id is left out. Members. Errors: tenant_not_found, profile_not_found, tenant_suspended, forbidden, not_authenticated, busy.';

create function public.update_user_profile(
    schema_name text,
    display_name text default null,
    metadata jsonb default null
)
    returns public.user_profile
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
    v_tenant public.tenants;
    v_before public.user_profile;
    v_after public.user_profile;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => null, member => 'read');

    v_before := tenancy.find_profile(schema_name, v_user_id);
    if v_before.id is null then
        raise exception 'You have no profile in tenant "%" yet.', schema_name
            using errcode = 'PT404', detail = 'profile_not_found',
                hint = 'Call ensure_user_profile first.';
    end if;
    if coalesce(display_name, v_before.display_name) is not distinct from v_before.display_name
        and coalesce(metadata, v_before.metadata) = v_before.metadata
    then
        return v_before;
    end if;

    perform tenancy.update_profile(schema_name, v_user_id, display_name, metadata);
    v_after := tenancy.find_profile(schema_name, v_user_id);

    -- Staff read this log, and they read no rows of tenants: the values stand in the
    -- tenant's own.
    perform tenancy.log_action(
        'profile.update', v_tenant,
        jsonb_build_object(
            'after', jsonb_build_object('id', v_after.id),
            'changed', (
                select jsonb_agg(a.key order by a.key)
                from jsonb_each(to_jsonb(v_after)) a
                where a.value <> to_jsonb(v_before) -> a.key
            )
        )
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.update_user_profile(text, text, jsonb) is
    'Changes the caller''s own profile; what is null stays as it is, metadata is replaced whole. Members. Errors: tenant_not_found, profile_not_found, tenant_suspended, forbidden, not_authenticated, busy.';
