create function tenancy.pre_request_source(pre_request oid)
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select format(
        $body$
declare
    -- First: the function of the project may change search_path.
    v_schema constant pg_catalog.text := pg_catalog.btrim(
        pg_catalog.split_part(pg_catalog.current_setting('search_path'), ',', 1), '"'
    );
begin
    perform %I.%I();
    perform tenancy.require_access(v_schema);
end;
$body$,
        n.nspname, p.proname
    )
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where p.oid = pre_request;
$$;

comment on function tenancy.pre_request_source(oid) is
    'The body of tenancy.pre_request() for this pre-request function of the project.';
