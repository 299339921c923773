create function tenancy.audited_tables(tables oid[])
    returns oid[]
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return array(
        select t.tgrelid
        from pg_catalog.pg_trigger t
        join pg_catalog.pg_proc p on p.oid = t.tgfoid
        where t.tgrelid = any (tables)
            and t.tgname in ('audit_insert', 'audit_update', 'audit_delete', 'audit_truncate')
            and t.tgenabled in ('O', 'A')
            and p.prosrc like E'\n<<audit>>%'
        group by t.tgrelid
        having count(*) = 4
    );
end;
$$;

comment on function tenancy.audited_tables(oid[]) is
    'The tables among these that have all audit triggers, with all of them enabled.';
