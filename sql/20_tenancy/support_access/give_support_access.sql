create function tenancy.give_support_access(
    tenant public.tenants,
    user_id uuid,
    reason text,
    minutes integer,
    access_level tenancy.access_level
)
    returns public.user_schema_access
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_before public.user_schema_access;
    v_after public.user_schema_access;
begin
    select * into v_before
    from public.user_schema_access a
    where a.user_id = give_support_access.user_id and a.schema_name = tenant.schema_name;
    if v_before.user_id is not null
        and v_before.support_reason is null
        and (v_before.expires_at <= statement_timestamp()) is not true
    then
        raise exception 'User % is a member of tenant "%" already.', user_id, tenant.schema_name
            using errcode = 'PT409', detail = 'member_exists',
                hint = 'Nothing was changed. Members need no support access. An admin of the tenant changes their access.';
    end if;

    v_after := tenancy.give_access(
        user_id, tenant.schema_name, access_level,
        least(
            statement_timestamp() + make_interval(mins => minutes),
            (select s.expires_at from tenancy.current_staff s where s.user_id = give_support_access.user_id)
        ),
        user_id, roles => '{}', support_reason => reason
    );

    perform tenancy.log_action(
        'support.open', tenant,
        jsonb_build_object(
            'before', case when v_before.user_id is not null then to_jsonb(v_before) end,
            'after', to_jsonb(v_after)
        )
    );

    return v_after;
end;
$$;

comment on function tenancy.give_support_access(public.tenants, uuid, text, integer, tenancy.access_level) is
    'Opens support access for so many minutes from now on, but not beyond the end of the user''s platform role, logs that and returns the access (PT409 member_exists). Only under locks of the user''s role and of the tenant.';
