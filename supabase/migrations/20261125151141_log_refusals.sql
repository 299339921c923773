-- Whoever is refused leaves a line in the server's log, before the error rolls the rest back.

-- The raised error rolls back whatever its transaction wrote, and a table that a refusal
-- could write to would be one that strangers could fill. The server's log keeps both off.
create function tenancy.log_refusal(code text, schema_name text default null)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- As JSON: whatever the caller sent stays on its line.
    raise log 'tenantry refused %', jsonb_strip_nulls(jsonb_build_object(
        'code', code,
        'actor_id', (tenancy.caller()).user_id,
        'actor_role', tenancy.actor_role(schema_name),
        'schema_name', tenancy.printable(schema_name),
        'method', current_setting('request.method', true),
        'path', tenancy.printable(current_setting('request.path', true)),
        'request_id', tenancy.request_id()
    ));
end;
$$;

comment on function tenancy.log_refusal(text, text) is
    'Writes one line about a refused attempt to the server''s log (severity LOG): code, actor, the actor''s role at that time, tenant, method, path and request id. Called right before the error is raised.';

revoke all on function tenancy.log_refusal(text, text) from public, anon, authenticated, service_role;

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

create or replace function tenancy.require_grantable(
    schema_name text,
    user_id uuid,
    access_level public.access_level,
    expires_at timestamptz
)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    v_own_expiry timestamptz;
begin
    if tenancy.platform_role() >= 'admin' then
        return;
    end if;

    if user_id = v_caller.user_id then
        perform tenancy.log_refusal('own_grant', schema_name);
        raise exception 'Nobody changes their own access to a tenant.'
            using errcode = 'PT409', detail = 'own_grant',
                hint = 'Ask another admin of the tenant. You can drop your access with revoke_schema_access.';
    end if;

    select a.expires_at into v_own_expiry
    from public.user_schema_access a
    where a.user_id = v_caller.user_id and a.schema_name = require_grantable.schema_name;

    -- Else an admin for a week could stay for ever, through a friend or a second account.
    if v_own_expiry is not null
        and (access_level = 'admin' or expires_at is null or expires_at > v_own_expiry)
    then
        perform tenancy.log_refusal('forbidden', schema_name);
        raise exception 'Your own access ends at %; you can grant neither "admin" nor anything past that.',
            v_own_expiry
            using errcode = '42501', detail = 'forbidden',
                hint = 'Grant "read" or "write" with an expires_at up to then, or ask an admin whose access does not expire.';
    end if;
end;
$$;

create or replace function tenancy.require_platform_role(role public.platform_role)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_role public.platform_role;
begin
    perform tenancy.require_signed_in();
    v_role := tenancy.platform_role();

    if v_role >= require_platform_role.role then
        return;
    end if;

    perform tenancy.log_refusal('forbidden');
    raise exception 'This needs the platform role "%"; you have %.',
        require_platform_role.role, coalesce(format('"%s"', v_role), 'none')
        using errcode = '42501', detail = 'forbidden',
            hint = 'Ask a super_admin of the platform.';
end;
$$;

create or replace function tenancy.require_signed_in()
    returns tenancy.caller
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
begin
    -- Not 42501: a token without a subject comes as a signed-in role, and PostgREST would
    -- answer 403.
    if v_caller.kind = 'nobody' then
        perform tenancy.log_refusal('not_authenticated');
        raise exception 'Sign in first.'
            using errcode = 'PT401', detail = 'not_authenticated',
                hint = 'Send the user''s access token as "Authorization: Bearer …".';
    end if;

    return v_caller;
end;
$$;

-- Who may do what with one tenant. Each RPC names the platform role and the access level
-- that suffice; null means that nobody of that kind may.
create or replace function tenancy.require_standing(
    schema_name text,
    platform public.platform_role,
    member public.access_level,
    even_suspended boolean default false
)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_role public.platform_role;
    v_access public.access_level;
    v_status public.tenant_status;
begin
    perform tenancy.require_signed_in();
    v_role := tenancy.platform_role();
    v_access := tenancy.access_level(schema_name);
    select t.status into v_status
    from public.tenants t
    where t.schema_name = require_standing.schema_name;

    -- To a stranger an existing tenant and a missing one look the same.
    if v_status is null or (v_role is null and v_access is null) then
        perform tenancy.log_refusal('tenant_not_found', schema_name);
        raise exception 'There is no tenant "%".', tenancy.printable(schema_name)
            using errcode = 'PT404', detail = 'tenant_not_found',
                hint = 'Check the name with list_my_tenants, or ask for access.';
    end if;

    if v_role >= platform then
        return;
    end if;

    if v_access >= member then
        if v_status = 'active' or even_suspended then
            return;
        end if;
        perform tenancy.log_refusal('tenant_suspended', schema_name);
        raise exception 'Tenant "%" is suspended.', schema_name
            using errcode = '42501', detail = 'tenant_suspended',
                hint = 'Nothing is lost. It answers again once a platform admin activates it.';
    end if;

    perform tenancy.log_refusal('forbidden', schema_name);
    raise exception 'This needs % on tenant "%".',
        concat_ws(
            ' or ',
            format('the access level "%s"', member),
            format('the platform role "%s"', platform)
        ),
        schema_name
        using errcode = '42501', detail = 'forbidden',
            hint = 'Ask an admin of the tenant or of the platform.';
end;
$$;

create or replace function tenancy.tg_audit_log__refuse()
    returns trigger
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- Set, for their own statement, by the two operations that write down what they did.
    if tg_op <> 'TRUNCATE' and current_setting('tenancy.maintaining', true) = tg_relid::regclass::text then
        return case tg_op when 'DELETE' then old else new end;
    end if;

    perform tenancy.log_refusal('forbidden', tg_table_schema);
    raise exception 'An audit log is append-only: % is refused.', tg_op
        using errcode = '42501', detail = 'forbidden',
            hint = 'Retention is for prune_audit_log, requests of persons are for redact_audit_log; both are logged.';
end;
$$;
