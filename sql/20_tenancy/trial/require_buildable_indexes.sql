-- PostgreSQL 17 builds an index with the search path pg_catalog. The routines of a migration are
-- pinned when its statements have run, so an index that they build needs routines that find their
-- names by themselves. An empty table does not show it.
create function tenancy.require_buildable_indexes(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_index record;
    v_result record;
begin
    for v_index in
        select c.relname,
            format(
                'select %s from (select %s) r',
                concat_ws(', ', pg_get_expr(i.indexprs, i.indrelid), pg_get_expr(i.indpred, i.indrelid)),
                (
                    select string_agg(
                        format('%s as %I', coalesce(tenancy.trial_value(a.atttypid, a.atttypmod), 'null::' || format_type(a.atttypid, a.atttypmod)), a.attname),
                        ', '
                    )
                    from pg_catalog.pg_attribute a
                    where a.attrelid = i.indrelid and a.attnum > 0 and not a.attisdropped
                )
            ) as statement
        from unnest(tenancy.table_oids(schema_name)) t (oid)
        join pg_catalog.pg_index i on i.indrelid = t.oid
        join pg_catalog.pg_class c on c.oid = i.indexrelid
        where num_nonnulls(i.indexprs, i.indpred) > 0
            and tenancy.is_written_now(i.xmin)
    loop
        perform set_config('search_path', 'pg_catalog, pg_temp', true);
        v_result := tenancy.try_statement(v_index.statement);
        perform set_config('search_path', '', true);
        if v_result.code in ('42P01', '42883', '42704') then
            raise exception 'The tenant migration would not build its index "%" in a tenant that has rows: %. PostgreSQL builds an index without the tenant''s schema in the search path. Add "set search_path from current" to the routine that the index calls.', v_index.relname, v_result.message
                using errcode = 'object_not_in_prerequisite_state';
        end if;
    end loop;
end;
$$;

comment on function tenancy.require_buildable_indexes(text) is
    'Requires that the expressions of the indexes that this transaction has created can be evaluated with the search path with which PostgreSQL builds an index (55000). Only before pin_routines.';
