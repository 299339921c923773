-- PostgREST calls this function before every request (`db-pre-request`), as the role of the
-- request and without arguments. The default of `path` is evaluated before `set search_path` takes
-- effect, so it is the search_path of the request. Its first element is the schema that PostgREST
-- really uses. The profile headers may differ from it, because a caller can send two.
--
-- The question of the guard must not use open_tenants, the question of the policies: one mistake
-- would then open both layers.
create function tenancy.guard_request(
    path text default pg_catalog.current_setting('search_path'),
    level tenancy.access_level default null
)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_schema constant text := btrim(split_part(path, ',', 1), '"');
    -- For a call of a routine, read suffices: policies or the routine check what it writes.
    v_level constant tenancy.access_level := coalesce(
        level,
        case
            when current_setting('request.method', true) in ('GET', 'HEAD')
                or current_setting('request.path', true) like '/rpc/%'
            then 'read'::tenancy.access_level
            else 'write'
        end
    );
    v_is_refusable boolean;
    v_relation regclass;
    v_caller tenancy.caller;
    v_status tenancy.tenant_status;
    v_access tenancy.access_level;
    v_expires_at timestamptz;
begin
    -- PostgreSQL prepares each expression of this function for every request, so a read comes past
    -- few of them.

    -- The RPCs are in public. Each checks the permission of its caller, so the guard does not.
    if v_schema = 'public' then
        if v_level = 'write' and level is null then
            perform tenancy.require_writable(v_schema, null);
        end if;
        return;
    end if;

    -- First only whether the answer is yes, as for almost every request of a user.
    select a.access_level into v_access
    from public.user_schema_access a
    join public.tenants t on t.schema_name = a.schema_name
    where a.schema_name = v_schema
        and a.user_id = (select u.user_id from tenancy.calling_user u)
        and a.access_level >= v_level
        and coalesce(a.expires_at, 'infinity') > statement_timestamp()
        and t.status = 'active';
    if found then
        if v_level = 'write' and level is null then
            -- Does anything refuse some writes of this table? Of most tables nothing does.
            -- require_writable looks closely, and costs more than these questions.
            v_relation := to_regclass(
                quote_ident(v_schema) || '.'
                || quote_ident(nullif(substr(current_setting('request.path', true), 2), ''))
            );
            v_is_refusable := not has_table_privilege(
                current_setting('role', true),
                v_relation,
                case current_setting('request.method', true)
                    when 'PATCH' then 'update' when 'DELETE' then 'delete' else 'insert'
                end
            );
            if v_access < 'admin' and not v_is_refusable then
                v_is_refusable := exists (
                    select from pg_catalog.pg_policy p
                    where p.polrelid = v_relation
                        and p.polname in ('insert_admin', 'update_admin', 'delete_admin')
                );
            end if;
            if v_is_refusable then
                perform tenancy.require_writable(v_schema, v_access);
            end if;
        end if;
        return;
    end if;

    select t.status into v_status
    from public.tenants t
    where t.schema_name = v_schema;
    -- A schema that is not a tenant's is the project's, whose own grants and policies decide.
    if not found then
        return;
    end if;

    v_caller := tenancy.caller();
    if v_caller.kind in ('service_role', 'postgres') and v_status = 'active' then
        if v_level = 'write' and level is null then
            perform tenancy.require_writable(v_schema, null);
        end if;
        return;
    end if;

    -- From here on every way ends in a refusal.
    if v_caller.kind = 'nobody' then
        perform tenancy.log_refusal('not_authenticated', v_schema);
        -- A token that names no user still has the role authenticated, for which PostgREST
        -- would answer 42501 with 403.
        raise exception 'Sign in to reach tenant "%".', v_schema
            using errcode = case current_setting('role', true)
                    when 'authenticated' then 'PT401' else '42501' end,
                detail = 'not_authenticated',
                hint = 'Send the user''s access token as "Authorization: Bearer …".';
    end if;

    select a.access_level, a.expires_at into v_access, v_expires_at
    from public.user_schema_access a
    where a.schema_name = v_schema and a.user_id = v_caller.user_id;

    -- A tenant in the pool has no members. It refuses the service key like a stranger.
    if v_access is null and (v_caller.kind = 'user' or v_status = 'pooled') then
        perform tenancy.log_refusal('forbidden', v_schema);
        raise exception 'You have no access to tenant "%".', v_schema
            using errcode = '42501', detail = 'forbidden',
                hint = 'Ask an admin of the tenant to grant you access.';
    end if;

    if v_expires_at <= statement_timestamp() then
        perform tenancy.log_refusal('forbidden', v_schema);
        raise exception 'Your access to tenant "%" has expired.', v_schema
            using errcode = '42501', detail = 'forbidden',
                hint = 'Ask an admin of the tenant to grant you access again.';
    end if;

    -- After the check for strangers: only members may learn that a tenant is suspended.
    if v_status <> 'active' then
        perform tenancy.log_refusal('tenant_suspended', v_schema);
        raise exception 'Tenant "%" is suspended.', v_schema
            using errcode = '42501', detail = 'tenant_suspended',
                hint = 'No data is lost. The tenant answers again once a platform admin activates it.';
    end if;

    perform tenancy.log_refusal('forbidden', v_schema);
    raise exception 'Your access level in tenant "%" is below "%", which this request needs.',
        v_schema, v_level
        using errcode = '42501', detail = 'forbidden',
            hint = 'Ask an admin of the tenant to raise your access level.';
end;
$$;

comment on function tenancy.guard_request(text, tenancy.access_level) is
    'The guard: refuses a Data API request before it runs, unless the caller has access to the tenant whose schema comes first in this search_path, and the tenant is active. The access level is the one that the request needs, unless given. (PT401 not_authenticated; 42501: not_authenticated of anon, forbidden, tenant_suspended.) Does not refuse requests to a schema that is not a tenant''s.';
