-- Making a foreign key stops writers of the shared table until the transaction ends, and dropping
-- one stops its readers, too. So the lock is taken in short attempts, and a tenant that is created
-- or deleted does not make everybody else wait behind it.
create function tenancy.lock_shared_tables(schema_name text, mode text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_tables text;
begin
    -- Most projects share no table.
    if not exists (select from tenancy.shared_tables) then
        return;
    end if;

    select string_agg(s.relation::text, ', ' order by s.relation::text collate "C") into v_tables
    from tenancy.shared_tables s
    where s.relation in (
        select k.confrelid
        from pg_catalog.pg_constraint k
        where k.conrelid = any (tenancy.table_oids(lock_shared_tables.schema_name)) and k.contype = 'f'
    );
    if v_tables is not null then
        perform tenancy.lock_relations(v_tables, mode);
    end if;
end;
$$;

comment on function tenancy.lock_shared_tables(text, text) is
    'Locks the shared tables that the tables of a schema reference until the transaction ends. Tries for 2 s (55P03).';
