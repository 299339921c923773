create function tenancy.require_no_long_change(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if exists (
        select from pg_catalog.pg_stat_activity a
        where a.pid = any (tenancy.changing_sessions(schema_name))
            and a.xact_start < clock_timestamp() - interval '1 second'
    ) then
        raise lock_not_available
            using message = format('Tenant "%s" is being changed.', tenancy.printable(schema_name));
    end if;
end;
$$;

comment on function tenancy.require_no_long_change(text) is
    'Refuses to wait for a tenant that another session has been changing for more than a second (55P03).';
