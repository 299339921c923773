-- Restrictive, so that they only narrow what the policies of the levels allow.
create function tenancy.limit_to_own_rows(
    schema_name text,
    table_name text,
    rows text,
    owner_column text,
    all_rows text,
    is_written boolean
)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_test text;
begin
    if rows is distinct from 'own' or owner_column is null then
        raise exception 'Table "%" gets rows of its members with rows => ''own'' and owner_column => ''<column>''; all_rows names the permission to see all of them, or is left out.', table_name
            using errcode = 'invalid_parameter_value';
    end if;
    if not exists (
        select
        from pg_catalog.pg_attribute a
        where a.attrelid = to_regclass(format('%I.%I', schema_name, table_name))
            and a.attname = owner_column
            and a.attnum > 0
            and a.atttypid = 'uuid'::regtype
    ) then
        raise exception 'Table "%" has no column "%" of type uuid, which would have the id of the member who owns a row.', table_name, owner_column
            using errcode = 'invalid_parameter_value';
    end if;

    v_test := format(
        '%I = (select auth.uid()) or %s',
        owner_column,
        case
            when all_rows is null then tenancy.policy_test(schema_name, 'admin')
            else tenancy.permission_test(schema_name, all_rows)
        end
    );
    execute format(
        'create policy only_select_owner on %1$I.%2$I as restrictive for select to authenticated using (%3$s);',
        schema_name, table_name, v_test
    );
    -- Without a policy that lets anybody write, these would only justify privileges.
    if is_written then
        execute format(
            'create policy only_insert_owner on %1$I.%2$I as restrictive for insert to authenticated with check (%3$s);'
            'create policy only_update_owner on %1$I.%2$I as restrictive for update to authenticated using (%3$s) with check (%3$s);'
            'create policy only_delete_owner on %1$I.%2$I as restrictive for delete to authenticated using (%3$s);',
            schema_name, table_name, v_test
        );
    end if;
end;
$$;

comment on function tenancy.limit_to_own_rows(text, text, text, text, text, boolean) is
    'Creates the policies of a table of which members see and write their own rows, and admins and those with the permission all_rows see and write all (PT404 permission_not_found, 22023).';
