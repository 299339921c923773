-- The one place that decides who is calling. A definer function runs as its owner, so
-- current_user says nothing here; the setting `role` still names the role that PostgREST
-- switched to. Missing claims make a nobody, never a privileged caller.
create function tenancy.caller()
    returns tenancy.caller
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_role constant text := current_setting('role', true);
    v_user_id uuid;
begin
    if v_role in ('service_role', 'postgres') then
        return row(v_role, null)::tenancy.caller;
    end if;

    -- A SQL editor or a script logs in as postgres and switches to no role.
    if v_role = 'none' and session_user = 'postgres' then
        return row('postgres', null)::tenancy.caller;
    end if;

    if v_role = 'authenticated' then
        v_user_id := auth.uid();
        if v_user_id is not null then
            return row('user', v_user_id)::tenancy.caller;
        end if;
    end if;

    return row('nobody', null)::tenancy.caller;
end;
$$;

comment on function tenancy.caller() is
    'Who is calling, from the role PostgREST switched to and the token''s subject.';

create function tenancy.platform_role()
    returns public.platform_role
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
begin
    -- The service key and the SQL editor already hold every power over the database; that
    -- they act as a super_admin is also how the first super_admin is made.
    if v_caller.kind in ('service_role', 'postgres') then
        return 'super_admin';
    end if;

    return (select a.role from public.admin_users a where a.user_id = v_caller.user_id);
end;
$$;

comment on function tenancy.platform_role() is
    'The caller''s platform role; null for whoever is not platform staff.';

create function tenancy.is_platform_staff()
    returns boolean
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return tenancy.platform_role() is not null;
end;
$$;

comment on function tenancy.is_platform_staff() is
    'Whether the caller has any platform role. For policies: call it in a subselect, so that it runs once a statement.';

create function tenancy.access_level(schema_name text)
    returns public.access_level
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
begin
    -- The statement's time, not the transaction's: a grant must not outlive its expiry in a
    -- transaction that was opened before it.
    return (
        select a.access_level
        from public.user_schema_access a
        where a.user_id = v_user_id
            and a.schema_name = access_level.schema_name
            and (a.expires_at is null or a.expires_at > statement_timestamp())
    );
end;
$$;

comment on function tenancy.access_level(text) is
    'The caller''s level in a tenant by an unexpired grant, whatever the tenant''s status; null without one.';

-- One truth for both walls that ask about rows: the policies (as has_access) and the guard
-- (as require_access), which also has to say what is missing.
create function tenancy.access_state(schema_name text, level public.access_level)
    returns text
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    v_status public.tenant_status;
    v_access public.access_level;
    v_expires_at timestamptz;
begin
    select t.status, a.access_level, a.expires_at
    into v_status, v_access, v_expires_at
    from public.tenants t
    left join public.user_schema_access a
        on a.schema_name = t.schema_name and a.user_id = v_caller.user_id
    where t.schema_name = access_state.schema_name;

    if not found then
        return 'no_tenant';
    end if;

    if v_caller.kind = 'nobody' then
        return 'nobody';
    end if;

    if v_caller.kind = 'user' then
        if v_access is null then
            return 'stranger';
        end if;
        if v_expires_at <= statement_timestamp() then
            return 'expired';
        end if;
    end if;

    -- After strangers are gone: whether a tenant is suspended concerns its members alone.
    if v_status <> 'active' then
        return 'suspended';
    end if;

    if v_caller.kind = 'user' and v_access < level then
        return 'insufficient';
    end if;

    return 'granted';
end;
$$;

comment on function tenancy.access_state(text, public.access_level) is
    'The caller''s access to a tenant''s rows at a level: granted, or the first thing that stands against it (no_tenant, nobody, stranger, expired, suspended, insufficient).';

create function tenancy.has_access(schema_name text, level public.access_level)
    returns boolean
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return tenancy.access_state(schema_name, level) = 'granted';
end;
$$;

comment on function tenancy.has_access(text, public.access_level) is
    'Whether the caller may touch rows of an active tenant at this level. For policies: call it in a subselect, so that it runs once a statement.';

create function tenancy.require_access(schema_name text, level public.access_level)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    case tenancy.access_state(schema_name, level)
        when 'granted' then
            return;
        when 'no_tenant' then
            -- A schema of the project's own: not ours to judge.
            return;
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
    'Refuses whoever has no access to a tenant''s rows at this level (42501: not_authenticated, forbidden, tenant_suspended). A schema that is no tenant passes.';

-- PostgREST calls this before every request (`db-pre-request`), as the switched role, when
-- search_path already is what the request will run with. Its first element is the schema
-- that PostgREST really uses; the profile headers are not, a caller can send two. Therefore
-- an invoker function with qualified names and no `set search_path`.
create function tenancy.guard_request()
    returns void
    stable
    security invoker
    language plpgsql
as $$
declare
    v_schema_name constant text := btrim(
        split_part(current_setting('search_path'), ',', 1), '"'
    );
    v_reads constant boolean :=
        current_setting('request.method', true) in ('GET', 'HEAD')
        -- What an RPC needs is for the function to say.
        or current_setting('request.path', true) like '/rpc/%';
begin
    -- The RPCs live here and each decides for itself; spare them the look-up.
    if v_schema_name = 'public' then
        return;
    end if;

    perform tenancy.require_access(
        v_schema_name,
        case when v_reads then 'read'::public.access_level else 'write'::public.access_level end
    );
end;
$$;

comment on function tenancy.guard_request() is
    'The guard: refuses a Data API request at once unless the caller has access to the schema it names and the tenant is active (42501: not_authenticated, forbidden, tenant_suspended).';

create function tenancy.member_tenants()
    returns text[]
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
begin
    return array(
        select a.schema_name
        from public.user_schema_access a
        where a.user_id = v_user_id
            and (a.expires_at is null or a.expires_at > statement_timestamp())
    );
end;
$$;

comment on function tenancy.member_tenants() is
    'Schema names of the tenants on which the caller holds an unexpired grant, suspended ones included. For policies, in a subselect.';

create function tenancy.administered_tenants()
    returns text[]
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
begin
    return array(
        select a.schema_name
        from public.user_schema_access a
        join public.tenants t on t.schema_name = a.schema_name
        where a.user_id = v_user_id
            and a.access_level = 'admin'
            and (a.expires_at is null or a.expires_at > statement_timestamp())
            and t.status = 'active'
    );
end;
$$;

comment on function tenancy.administered_tenants() is
    'Schema names of the active tenants that the caller administers. For policies, in a subselect.';

create function tenancy.administered_tenant_ids()
    returns uuid[]
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return array(
        select t.id
        from public.tenants t
        where t.schema_name = any (tenancy.administered_tenants())
    );
end;
$$;

comment on function tenancy.administered_tenant_ids() is
    'Ids of the active tenants that the caller administers. For policies, in a subselect.';

create function tenancy.printable(value text)
    returns text
    immutable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- PostgREST sends the message of a PTnnn error as the reason phrase of its reply, as it
    -- is: a line break in there would begin a header of the caller's choice.
    return left(regexp_replace(value, '[^ -~]', '?', 'g'), 80);
end;
$$;

comment on function tenancy.printable(text) is
    'What a caller sent, fit to stand in an error''s message: printable ASCII, at most 80 characters.';

create function tenancy.require_signed_in()
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
        raise exception 'Sign in first.'
            using errcode = 'PT401', detail = 'not_authenticated',
                hint = 'Send the user''s access token as "Authorization: Bearer …".';
    end if;

    return v_caller;
end;
$$;

comment on function tenancy.require_signed_in() is
    'The caller, unless it is nobody (PT401 not_authenticated).';

create function tenancy.require_platform_role(role public.platform_role)
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

    raise exception 'This needs the platform role "%"; you have %.',
        require_platform_role.role, coalesce(format('"%s"', v_role), 'none')
        using errcode = '42501', detail = 'forbidden',
            hint = 'Ask a super_admin of the platform.';
end;
$$;

comment on function tenancy.require_platform_role(public.platform_role) is
    'Refuses whoever has less than this platform role (PT401 not_authenticated, 42501 forbidden).';

-- Who may do what with one tenant. Each RPC names the platform role and the access level
-- that suffice; null means that nobody of that kind may.
create function tenancy.require_standing(
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
        raise exception 'Tenant "%" is suspended.', schema_name
            using errcode = '42501', detail = 'tenant_suspended',
                hint = 'Nothing is lost. It answers again once a platform admin activates it.';
    end if;

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

comment on function tenancy.require_standing(text, public.platform_role, public.access_level, boolean) is
    'Refuses whoever has neither this platform role nor this access level in an active tenant (PT401 not_authenticated; 42501: forbidden, tenant_suspended; PT404 tenant_not_found, the same for a stranger and for a missing tenant).';
