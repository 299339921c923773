create function tenancy.running_backfill(schema_name text)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return (
        select b.version
        from tenancy.unfinished_backfills b
        where b.schema_name = running_backfill.schema_name
            and b.writing_in = pg_current_xact_id_if_assigned()
    );
end;
$$;

comment on function tenancy.running_backfill(text) is
    'The version of the backfill of which this transaction runs a batch in this tenant; null if none. Nobody but Tenantry can write what it reads.';
