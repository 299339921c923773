-- PostgREST calls this function before every request (`db-pre-request`), as the role of the
-- request and with its search_path. The first element of search_path is the schema that
-- PostgREST really uses. The profile headers may differ from it, because a caller can send
-- two. So this is an invoker function with qualified names and no `set search_path`.
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
        -- For a call of a routine, read suffices: policies or the routine check what it writes.
        or current_setting('request.path', true) like '/rpc/%';
begin
    -- The RPCs are in public. Each checks the permission of its caller, so the guard does not.
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
    'The guard: refuses a Data API request before it runs, unless the caller has access to the tenant whose schema the request uses, and the tenant is active (PT401 not_authenticated; 42501: not_authenticated of anon, forbidden, tenant_suspended).';
