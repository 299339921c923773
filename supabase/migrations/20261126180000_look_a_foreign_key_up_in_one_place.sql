-- What looks a foreign key up is one function, which add_foreign_key calls from a later migration
-- on. A refusal for want of a user names the tenant, in its reply and in the log.
create or replace function tenancy.find_foreign_key(
    relation oid,
    column_number smallint,
    foreign_relation oid,
    foreign_number smallint
)
    returns text
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return (
        select k.conname::text
        from pg_catalog.pg_constraint k
        where k.conrelid = relation
            and k.contype = 'f'
            and k.conkey = array[column_number]
            and k.confrelid = foreign_relation
            and k.confkey = array[foreign_number]
        -- Whoever added it twice before that was refused has two.
        order by k.conname
        limit 1
    );
end;
$$;

comment on function tenancy.find_foreign_key(oid, smallint, oid, smallint) is
    'Name of the foreign key that points from one column at another; null when there is none.';
revoke all on function tenancy.find_foreign_key(oid, smallint, oid, smallint)
    from public, anon, authenticated, service_role;

create or replace function tenancy.require_access(schema_name text, level public.access_level)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_state constant text := tenancy.access_state(schema_name, level);
begin
    -- A schema of the project's own is not ours to judge.
    if v_state in ('granted', 'no_tenant') then
        return;
    end if;

    perform tenancy.log_refusal(
        case v_state
            when 'nobody' then 'not_authenticated'
            when 'suspended' then 'tenant_suspended'
            else 'forbidden'
        end,
        schema_name
    );
    case v_state
        when 'nobody' then
            -- A token that names no user comes as signed in, to whom 42501 would say 403.
            if current_setting('role', true) = 'authenticated' then
                raise exception 'Sign in to reach tenant "%".', schema_name
                    using errcode = 'PT401', detail = 'not_authenticated',
                        hint = 'Send the user''s access token as "Authorization: Bearer …".';
            end if;
            raise exception 'Sign in to reach tenant "%".', schema_name
                using errcode = '42501', detail = 'not_authenticated',
                    hint = 'Send the user''s access token as "Authorization: Bearer …".';
        when 'stranger' then
            raise exception 'You have no access to tenant "%".', schema_name
                using errcode = '42501', detail = 'forbidden',
                    hint = 'Ask an admin of the tenant to grant you access.';
        when 'expired' then
            raise exception 'Your access to tenant "%" has expired.', schema_name
                using errcode = '42501', detail = 'forbidden',
                    hint = 'Ask an admin of the tenant to grant you access again.';
        when 'suspended' then
            raise exception 'Tenant "%" is suspended.', schema_name
                using errcode = '42501', detail = 'tenant_suspended',
                    hint = 'Nothing is lost. It answers again once a platform admin activates it.';
        when 'insufficient' then
            raise exception 'Your access level in tenant "%" is below "%", which this request needs.',
                schema_name, level
                using errcode = '42501', detail = 'forbidden',
                    hint = 'Ask an admin of the tenant to raise your access level.';
    end case;
end;
$$;

create or replace function public.ensure_user_profile(schema_name text, display_name text default null)
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

    -- Every sign-in comes through here, nearly always to find a profile: no lock for that. Who
    -- finds none lets go of the table before waiting for the tenant: whoever deletes it has the
    -- tenant and waits for the table.
    begin
        v_profile := tenancy.find_profile(schema_name, v_user_id);
        if v_profile.id is null then
            raise no_data_found;
        end if;
    exception
        when no_data_found then
            null;
    end;

    if v_profile.id is null then
        perform tenancy.require_user(v_user_id);
        v_tenant := tenancy.lock_tenant(schema_name, platform => null, member => 'read');
        perform tenancy.require_text('display_name', display_name, 200);
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
