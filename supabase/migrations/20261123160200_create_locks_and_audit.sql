-- Asked twice: before the lock, so that a stranger never waits for one and learns nothing
-- from waiting; and under it, because the tenant may have been suspended, or the caller's
-- grant revoked, in the meantime. NO KEY UPDATE lets the foreign keys of grants through.
create function tenancy.lock_tenant(
    schema_name text,
    platform public.platform_role,
    member public.access_level
)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    set lock_timeout = '2s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
begin
    perform tenancy.require_standing(schema_name, platform, member);

    select * into v_tenant
    from public.tenants t
    where t.schema_name = lock_tenant.schema_name
    for no key update;

    perform tenancy.require_standing(schema_name, platform, member);

    return v_tenant;
end;
$$;

comment on function tenancy.lock_tenant(text, public.platform_role, public.access_level) is
    'A tenant''s registry row, locked until the transaction ends, for a caller with this standing (errors of require_standing). Take it before touching anything of the tenant. Waits at most 2 s (55P03).';

-- First in the lock order. Deleting a user locks their row in auth.users and then, by
-- cascade, rows of the registry; whoever writes a reference to a user has to come the same
-- way or the two deadlock.
create function tenancy.lock_users(user_ids uuid[])
    returns uuid[]
    volatile
    security definer
    set search_path = ''
    set lock_timeout = '2s'
    language plpgsql
as $$
begin
    return array(
        select u.id
        from auth.users u
        where u.id = any (user_ids)
        order by u.id
        for key share
    );
end;
$$;

comment on function tenancy.lock_users(uuid[]) is
    'Keeps these users from being deleted until the transaction ends; the ids of those who exist. Waits at most 2 s (55P03).';

create function tenancy.require_user(user_id uuid)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- The caller is locked along: the row about to be written names both.
    if user_id is null or not user_id = any (
        tenancy.lock_users(array[user_id, (tenancy.caller()).user_id])
    ) then
        raise exception 'There is no user with the id %.', coalesce(user_id::text, 'null')
            using errcode = 'PT404', detail = 'user_not_found',
                hint = 'Let them sign up first; the id is the "sub" of their access token.';
    end if;
end;
$$;

comment on function tenancy.require_user(uuid) is
    'Locks a user and the caller against deletion, first in the lock order (PT404 user_not_found).';

-- Counting them is not enough: of two super_admins who revoke each other at once, each
-- would count the other. Locked one after the other in one order, the second to come sees
-- what the first has left.
create function tenancy.lock_super_admins()
    returns uuid[]
    volatile
    security definer
    set search_path = ''
    set lock_timeout = '2s'
    language plpgsql
as $$
begin
    return array(
        select a.user_id
        from public.admin_users a
        where a.role = 'super_admin'
        order by a.user_id
        for update
    );
end;
$$;

comment on function tenancy.lock_super_admins() is
    'All super_admins, locked until the transaction ends. Waits at most 2 s (55P03).';

create function tenancy.require_other_super_admin(user_id uuid)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- Users before staff: one who is being deleted takes along the names of those they
    -- appointed, in no order that could be kept here.
    perform tenancy.lock_users(
        user_id || array(select a.user_id from public.admin_users a where a.role = 'super_admin')
    );
    if tenancy.lock_super_admins() = array[user_id] then
        raise exception 'This is the last super_admin.'
            using errcode = 'PT409', detail = 'last_super_admin',
                hint = 'Appoint another with promote_to_admin first.';
    end if;

    -- Whoever was waiting may have been revoked in the meantime.
    perform tenancy.require_platform_role('super_admin');
end;
$$;

comment on function tenancy.require_other_super_admin(uuid) is
    'Refuses to take the role from the last super_admin (PT409 last_super_admin), and keeps the others from losing it until the transaction ends.';

create function tenancy.require_grantable(
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
        raise exception 'Your own access ends at %; you can grant neither "admin" nor anything past that.',
            v_own_expiry
            using errcode = '42501', detail = 'forbidden',
                hint = 'Grant "read" or "write" with an expires_at up to then, or ask an admin whose access does not expire.';
    end if;
end;
$$;

comment on function tenancy.require_grantable(text, uuid, public.access_level, timestamptz) is
    'Refuses a grant that the caller, an admin of the tenant or of the platform, may not make (PT409 own_grant, 42501 forbidden).';

create function tenancy.require_schema_name(schema_name text)
    returns void
    immutable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- 63 bytes is PostgreSQL's limit for a name; it cuts longer ones silently, and two
    -- tenants would become one. ASCII alone, because look-alikes are different names.
    if schema_name is null or schema_name !~ '^[a-z][a-z0-9_]{2,62}$' then
        raise exception 'A schema name has 3 to 63 characters: lower-case letters a-z, digits and underscores, a letter first.'
            using errcode = 'PT400', detail = 'invalid_schema_name',
                hint = 'Choose another name, or leave it out for a random one.';
    end if;

    if schema_name ~ '^(pg_|supabase|graphql)'
        or schema_name in (
            'auth', 'cron', 'extensions', 'information_schema', 'net', 'pgbouncer', 'pgmq',
            'pgmq_public', 'pgsodium', 'pgsodium_masks', 'pgtle', 'public', 'realtime', 'repack',
            'storage', 'tenancy', 'tenant_template', 'tiger', 'tiger_data', 'topology', 'vault'
        )
    then
        raise exception 'The name "%" is reserved.', schema_name
            using errcode = 'PT400', detail = 'invalid_schema_name',
                hint = 'Choose another name, or leave it out for a random one.';
    end if;
end;
$$;

comment on function tenancy.require_schema_name(text) is
    'Refuses names a tenant''s schema cannot have (PT400 invalid_schema_name).';

create function tenancy.opaque_schema_name()
    returns text
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- A version 4 uuid has fixed digits; hashed, all twenty of these are random.
    return 't_' || left(md5(gen_random_uuid()::text), 20);
end;
$$;

comment on function tenancy.opaque_schema_name() is
    'A schema name that tells nothing: PostgREST shows the names of all exposed schemas to anybody.';

create function tenancy.raise_busy()
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    raise exception 'Somebody else is changing the same thing right now.'
        using errcode = 'PT503', detail = 'busy',
            hint = 'Nothing was changed. Try again in a second.';
end;
$$;

comment on function tenancy.raise_busy() is
    'What an RPC answers to a deadlock, an over-long wait for a lock and a cancelled statement (PT503 busy); raw, PostgREST would make them a 500.';

create function tenancy.request_id()
    returns text
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return substring(
        nullif(current_setting('request.headers', true), '')::json ->> 'x-request-id'
        from '^[A-Za-z0-9._-]{1,64}$'
    );
end;
$$;

comment on function tenancy.request_id() is
    'The request''s X-Request-Id as the caller claims it; null when there is none or it is malformed.';

create function tenancy.actor_role(schema_name text)
    returns text
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
begin
    if v_caller.kind <> 'user' then
        return v_caller.kind;
    end if;

    return coalesce(
        tenancy.platform_role()::text,
        'tenant_' || tenancy.access_level(schema_name),
        'user'
    );
end;
$$;

comment on function tenancy.actor_role(text) is
    'What the caller is now, as the audit log calls it: a platform role, tenant_<access level> in this tenant, service_role or postgres.';

create function tenancy.log_action(
    action text,
    tenant public.tenants,
    details jsonb,
    actor_role text default null
)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    insert into public.admin_audit_log
        (actor_id, actor_role, action, schema_name, tenant_id, details, request_id)
    values (
        (tenancy.caller()).user_id,
        coalesce(log_action.actor_role, tenancy.actor_role(tenant.schema_name)),
        action,
        tenant.schema_name,
        tenant.id,
        details,
        tenancy.request_id()
    );
end;
$$;

comment on function tenancy.log_action(text, public.tenants, jsonb, text) is
    'The one writer of admin_audit_log. Called by each RPC that changed something, in its transaction; tenant is null for actions on no tenant. actor_role is for what may have ended the caller''s own role: what tenancy.actor_role said before.';
