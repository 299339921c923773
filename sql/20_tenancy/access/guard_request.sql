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
    'The guard: refuses a Data API request at once unless the caller has access to the schema it names and the tenant is active (PT401 not_authenticated; 42501: not_authenticated of anon, forbidden, tenant_suspended).';
