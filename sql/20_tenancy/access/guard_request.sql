-- PostgREST calls this function before every request (`db-pre-request`), as the role of the
-- request and with its search_path. The first element of search_path is the schema that
-- PostgREST really uses. The profile headers may differ from it, because a caller can send
-- two. So this is an invoker function with no `set search_path`, and it qualifies every name, those
-- of pg_catalog, too: an extra schema of the project may come before it. PostgreSQL
-- replaces the call of such a SQL function by its one expression: the statement of PostgREST calls
-- require_access itself, and nothing else is planned when search_path changes.
create function tenancy.guard_request()
    returns void
    stable
    security invoker
    language sql
as $$
    select tenancy.require_access(
        pg_catalog.btrim(
            pg_catalog.split_part(pg_catalog.current_setting('search_path'), ',', 1), '"'
        )
    );
$$;

comment on function tenancy.guard_request() is
    'The guard: refuses a Data API request before it runs, unless the caller has access to the tenant whose schema the request uses, and the tenant is active (PT401 not_authenticated; 42501: not_authenticated of anon, forbidden, tenant_suspended).';
