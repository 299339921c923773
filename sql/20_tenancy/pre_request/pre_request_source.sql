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
    v_path constant pg_catalog.text := pg_catalog.current_setting('search_path');
begin
    perform %I.%I();
    perform tenancy.guard_request(v_path);
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
