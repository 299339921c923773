-- A load of PostgREST's schema cache waits for each table that is being rewritten, and fails
-- after 8 s. Two rewrites that take turns could together hold it longer than that. There is no
-- wait for one's turn, because the caller already holds the table.
create function tenancy.lock_rewrite(relation oid)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- A small table is rewritten within milliseconds.
    if tenancy.table_bytes(relation) > 1048576
        and not pg_try_advisory_xact_lock(hashtextextended('tenancy.rewrite', 0))
    then
        raise lock_not_available using message = 'Another table is being rewritten.';
    end if;
end;
$$;

comment on function tenancy.lock_rewrite(oid) is
    'Lets one transaction at a time on the platform rewrite a table of more than 1 MB. Never waits (55P03).';
