create function public.update_user_profile(
    schema_name text,
    display_name text default null,
    metadata jsonb default null
)
    returns public.tenantry_user_profile
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
    v_tenant public.tenants;
    v_before public.tenantry_user_profile;
    v_after public.tenantry_user_profile;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => null, member => 'read');

    perform tenancy.require_text('display_name', display_name, 200);
    perform tenancy.require_metadata(coalesce(metadata, '{}'));
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

    -- Only the id, because platform staff read this log but no rows of tenants. The values
    -- are in the tenant's own audit log.
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
    'Changes the caller''s own profile in a tenant. '
    'An argument that is null changes nothing. metadata is replaced as a whole. '
    'Callers: member. '
    'Errors: invalid_request, tenant_not_found, profile_not_found, tenant_suspended, '
    'forbidden, not_authenticated, busy.';
