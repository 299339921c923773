create function tenancy.copy_split_batch(
    relation regclass,
    column_name text,
    value text,
    schema_name text,
    batch_size integer
)
    returns tenancy.tenants_splits
    volatile
    security invoker
    set search_path = ''
    -- The text of a value, of which hashes are made, must not depend on the session.
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    language plpgsql
as $$
declare
    v_split tenancy.tenants_splits;
    v_target oid;
    v_batch record;
    v_size integer := batch_size;
    v_is_retried boolean := false;
begin
    v_split := tenancy.begin_split(relation, column_name, value, schema_name);
    if v_split.state <> 'copying' then
        return v_split;
    end if;
    v_target := tenancy.require_table(schema_name, (select c.relname from pg_catalog.pg_class c where c.oid = relation));
    -- A row may reference one that comes later. Such a key is checked when the statement ends.
    if exists (
        select from pg_catalog.pg_constraint k
        where k.conrelid = v_target and k.confrelid = v_target and k.contype = 'f'
    ) then
        v_size := null;
    end if;

    begin
        v_batch := tenancy.copy_split_rows(v_split, 'next', v_split.last_key, v_size);
    exception
        when foreign_key_violation then
            v_is_retried := true;
    end;
    if v_is_retried then
        -- The missing row may have come into the source after the rows of its table were copied.
        -- Both statements have one snapshot, if the transaction is repeatable read.
        perform tenancy.copy_split_rows(p, 'missing')
        from tenancy.tenants_splits p
        where p.schema_name = copy_split_batch.schema_name
            and p.value = copy_split_batch.value
            and p.column_name = copy_split_batch.column_name
            and p.id < v_split.id
        order by p.id;
        v_batch := tenancy.copy_split_rows(v_split, 'next', v_split.last_key, v_size);
    end if;

    update tenancy.tenants_splits p
    set last_key = coalesce(v_batch.last_key, p.last_key),
        rows_copied = p.rows_copied + v_batch.rows_copied,
        state = case when v_batch.rows_read < v_size then 'copied' when v_size is null then 'copied' else p.state end
    where p.id = v_split.id
    returning p.* into v_split;

    return v_split;
exception
    when deadlock_detected or lock_not_available or query_canceled or serialization_failure then
        perform tenancy.raise_busy();
end;
$$;

comment on function tenancy.copy_split_batch(regclass, text, text, text, integer) is
    'Copies the next rows of one tenant from a table of the project, and returns how far the copying is; call it until the state is no more "copying". Rows that were changed meanwhile are left to verify_split. If a table references itself, all rows are one batch. Call it in a transaction of its own, repeatable read. Only the owner can execute it (23503, 55000, PT404, PT429 busy).';
