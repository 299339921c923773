-- Most migrations make new tables and leave the others alone. Trying every table each time would
-- cost more with each migration.
create function tenancy.tables_to_try(tables_before oid[], routines_before oid[])
    returns text[]
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if exists (
            -- Altering or dropping a table, and building an index.
            select from pg_catalog.pg_locks l
            where l.pid = pg_backend_pid()
                and l.locktype = 'relation'
                and l.relation = any (tables_before)
                and l.mode in ('AccessExclusiveLock', 'ShareLock')
        )
        or exists (
            select from pg_catalog.pg_locks l
            where l.pid = pg_backend_pid()
                and l.locktype = 'object'
                and l.mode = 'AccessExclusiveLock'
                -- The schemas in which the creation script was tried are dropped with their default
                -- privileges, which concern no object that exists.
                and l.classid <> 'pg_default_acl'::regclass
                -- Audit routines are renamed when they are new.
                and (l.classid <> 'pg_proc'::regclass or l.objid = any (routines_before))
        )
        or exists (
            select from pg_catalog.pg_trigger g
            where g.tgrelid = any (tables_before)
                and not g.tgisinternal
                and tenancy.is_written_now(g.xmin)
        )
        or exists (
            select from pg_catalog.pg_proc p
            where p.oid = any (routines_before)
                and tenancy.is_written_now(p.xmin)
        )
    then
        return null;
    end if;

    return array(
        select c.relname::text
        from pg_catalog.pg_class c
        where c.oid = any (tenancy.table_oids('tenant_template')) and c.oid <> all (tables_before)
    );
end;
$$;

comment on function tenancy.tables_to_try(oid[], oid[]) is
    'The names of the tables that are new in the reference schema, if this transaction has changed nothing else in it; otherwise null, for all.';
