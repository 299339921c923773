-- PostgREST takes what comes before the first dot as the schema and quotes both parts. Without
-- a dot the request's search_path decides, which ends with these two schemas.
create function tenancy.resolve_pre_request(function_name text)
    returns oid
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select p.oid
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where p.prokind = 'f'
        -- Callable without arguments.
        and p.pronargs = p.pronargdefaults
        and p.proname = substr(function_name, strpos(function_name, '.') + 1)
        and case
            when strpos(function_name, '.') > 0 then n.nspname = split_part(function_name, '.', 1)
            else n.nspname in ('public', 'extensions')
        end
    order by n.nspname = 'public' desc, p.pronargs
    limit 1;
$$;

comment on function tenancy.resolve_pre_request(text) is
    'The function that PostgREST calls by this name; null if there is none.';
