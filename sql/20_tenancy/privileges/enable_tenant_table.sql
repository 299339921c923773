create function tenancy.enable_tenant_table(
    schema_name text,
    table_name text,
    reads tenancy.access_level default 'read',
    writes tenancy.access_level default 'write',
    audited boolean default true,
    rows text default 'all',
    owner_column text default null,
    all_rows text default null
)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_read_test constant text := tenancy.policy_test(schema_name, reads);
    v_write_test constant text := tenancy.policy_test(schema_name, writes);
begin
    execute format(
        'alter table %1$I.%2$I enable row level security;'
        'create policy %3$I on %1$I.%2$I for select to authenticated using (%4$s);',
        schema_name, table_name, 'select_' || tenancy.policy_suffix(reads), v_read_test
    );

    if writes is not null then
        execute format(
            'create policy %3$I on %1$I.%2$I for insert to authenticated with check (%6$s);'
            'create policy %4$I on %1$I.%2$I for update to authenticated using (%6$s) with check (%6$s);'
            'create policy %5$I on %1$I.%2$I for delete to authenticated using (%6$s);',
            schema_name, table_name,
            'insert_' || tenancy.policy_suffix(writes),
            'update_' || tenancy.policy_suffix(writes),
            'delete_' || tenancy.policy_suffix(writes),
            v_write_test
        );
    end if;

    if rows is distinct from 'all' or owner_column is not null or all_rows is not null then
        perform tenancy.limit_to_own_rows(
            schema_name, table_name, rows, owner_column, all_rows, is_written => writes is not null
        );
    end if;

    if audited then
        perform tenancy.audit_table(schema_name, table_name);
    else
        perform tenancy.leave_unaudited(schema_name, table_name);
    end if;
end;
$$;

comment on function tenancy.enable_tenant_table(text, text, tenancy.access_level, tenancy.access_level, boolean, text, text, text) is
    'Turns a table into a tenant table: enables row level security, and creates the audit triggers and the policies that let these access levels read and write. If writes is null, nobody can write through the API. With rows => ''own'', members see and write only the rows whose owner_column has their id; admins of the tenant, and members with the permission all_rows, see and write all. The privileges follow from the policies: call apply_tenant_privileges afterwards (PT404 permission_not_found, 22023).';
