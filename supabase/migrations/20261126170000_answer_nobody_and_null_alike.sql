-- As for the RPCs, so for the tables: a token that names no user is answered 401, not 403. A user
-- id of null is a wrong argument by this door, too; and a name of spaces is one whatever spaces.

create or replace function tenancy.require_text(argument text, value text, longest integer, shortest integer default 0)
    returns void
    immutable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- Where an empty text would do, none does.
    if char_length(value) between shortest and longest and (shortest = 0 or value ~ '[^\s\u00A0\u200B-\u200D\u2060\uFEFF]')
        or (value is null and shortest = 0)
    then
        return;
    end if;

    raise exception '"%" is to have %.', argument,
        case
            when shortest = 0 then format('at most %s characters', longest)
            else format('%s to %s characters that are not all spaces', shortest, longest)
        end
        using errcode = 'PT422', detail = 'invalid_request',
            hint = 'Nothing was changed. Send a text of that length.';
end;
$$;

comment on function tenancy.require_text(text, text, integer, integer) is
    'Refuses a text of an argument that is too short or too long, in characters, or blank where it is to have some (PT422 invalid_request, as the functions answer).';

create or replace function tenancy.require_user(user_id uuid)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_argument('user_id', user_id::text);

    -- The caller is locked along: the row about to be written names both.
    if not user_id = any (
        tenancy.lock_users(array[user_id, (tenancy.caller()).user_id])
    ) then
        raise exception 'There is no user with the id %.', user_id
            using errcode = 'PT404', detail = 'user_not_found',
                hint = 'Let them sign up first; the id is the "sub" of their access token.';
    end if;
end;
$$;

comment on function tenancy.require_user(uuid) is
    'Locks a user and the caller against deletion, first in the lock order (PT404 user_not_found, PT422 invalid_request).';

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

    -- A token that names no user comes as signed in, to whom 42501 would say 403.
    if v_state = 'nobody' and current_setting('role', true) = 'authenticated' then
        perform tenancy.require_signed_in();
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

comment on function tenancy.require_access(text, public.access_level) is
    'Refuses whoever has no access to a tenant''s rows at this level (PT401 not_authenticated; 42501: not_authenticated of anon, forbidden, tenant_suspended). A schema that is no tenant passes.';

create or replace function public.revoke_schema_access(schema_name text, user_id uuid)
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
    perform tenancy.require_argument('user_id', user_id::text);

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
    'Takes a user''s access to a tenant away, from their next request on; returns what it was. Admins of the tenant or of the platform, and members for themselves. Errors: invalid_request, tenant_not_found, user_not_found, tenant_suspended, forbidden, not_authenticated, busy.';

create or replace function public.revoke_admin(user_id uuid)
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
    perform tenancy.require_argument('user_id', user_id::text);
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
    'Takes a user''s platform role away, from their next request on; returns what it was. Never from the last super_admin. super_admins. Errors: invalid_request, user_not_found, last_super_admin, forbidden, not_authenticated, busy.';

create or replace function public.redact_audit_log(schema_name text, user_id uuid)
    returns public.audit_redaction
    volatile
    security definer
    set search_path = ''
    set statement_timeout = '60s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_redaction public.audit_redaction;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => null);
    perform tenancy.require_argument('user_id', user_id::text);

    v_redaction.schema_name := schema_name;
    v_redaction.user_id := user_id;
    v_redaction.redacted := tenancy.redact_audit_log(schema_name, user_id);

    if v_redaction.redacted > 0 then
        perform tenancy.log_action('audit.redact', v_tenant, to_jsonb(v_redaction));
    end if;

    return v_redaction;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.redact_audit_log(text, uuid) is
    'On a person''s request: takes the values of their profile (e-mail address, names, metadata) out of the sealed entries of a tenant''s audit log; admin_audit_log never had them. That something happened, when and by whom stays, and so does the chain. Entries too young to be sealed are left for the next call. Platform admins; logged as audit.redact. Errors: invalid_request, tenant_not_found, forbidden, not_authenticated, busy.';

comment on function tenancy.guard_request() is
    'The guard: refuses a Data API request at once unless the caller has access to the schema it names and the tenant is active (PT401 not_authenticated; 42501: not_authenticated of anon, forbidden, tenant_suspended).';

comment on function public.get_audit_log(text, uuid, text, text, jsonb, timestamptz, timestamptz, bigint, integer) is
    'Data changes in a tenant, newest first: by actor, action (insert, update, delete, truncate), table, record (key columns as JSON), from (included) and to (not). A page has up to page_size entries, from 1 to 1,000; the next one is before_id = the last id of this one. Admins of the tenant. Errors: tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';
