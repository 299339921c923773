create function tenancy.block_count(schema_name text, table_name text)
    returns bigint
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return pg_relation_size(tenancy.require_table(schema_name, table_name)::regclass)
        / current_setting('block_size')::integer;
end;
$$;

comment on function tenancy.block_count(text, text) is
    'Blocks of a tenant''s table, without its indexes and large values (PT404 table_not_found).';
