create function tenancy.begin_split(relation regclass, column_name text, value text, schema_name text)
    returns tenancy.tenants_splits
    volatile
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_split tenancy.tenants_splits;
    v_statements record;
    v_is_new boolean;
begin
    perform tenancy.lock_active_tenant(schema_name);

    -- A table that was dropped may have left rows, and another table may get its number.
    delete from tenancy.tenants_splits p
    where not exists (select from pg_catalog.pg_class c where c.oid = p.relation);
    perform tenancy.require_fitting_table(relation, column_name, schema_name);

    v_statements := tenancy.split_statements(relation, column_name, value, schema_name);
    insert into tenancy.tenants_splits (relation, column_name, value, schema_name, compared_columns)
    values (relation, column_name, value, schema_name, v_statements.compared_columns)
    on conflict on constraint tenants_splits_value_key do nothing;
    v_is_new := found;
    select p.* into strict v_split
    from tenancy.tenants_splits p
    where p.relation = begin_split.relation
        and p.column_name = begin_split.column_name
        and p.value = begin_split.value;
    if v_split.schema_name <> schema_name or v_split.compared_columns <> v_statements.compared_columns then
        raise exception 'Table % has been split for the value % before, into another tenant or with other columns.', relation, tenancy.printable(value)
            using errcode = 'object_not_in_prerequisite_state',
                hint = format(
                    'To begin again, remove its copies by hand, and then: delete from tenancy.tenants_splits where id = %s;',
                    v_split.id
                );
    end if;
    -- Before any row is copied, so that a row which the tenant writes meanwhile gets a new number.
    if v_is_new then
        perform tenancy.advance_split_sequences(v_split);
    end if;

    return v_split;
end;
$$;

comment on function tenancy.begin_split(regclass, text, text, text) is
    'Registers that the rows with this value go to this tenant, and sets the sequences of the tenant''s table past the largest values. Repeating a call changes nothing (55000, 55P03, PT404).';
