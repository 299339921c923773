-- What callers met: two keys alike between two tables, with which embedding is ambiguous; names
-- of spaces; and a subject that is no UUID answered 400 by two tables of the registry.

-- Who may do what with one tenant. Each RPC names the platform role and the access level
-- that suffice; null means that nobody of that kind may.
create or replace function tenancy.require_standing(
    schema_name text,
    platform public.platform_role,
    member public.access_level,
    even_suspended boolean default false
)
    returns void
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_role public.platform_role;
    v_access public.access_level;
    v_status public.tenant_status;
begin
    perform tenancy.require_signed_in();
    v_role := tenancy.platform_role();
    v_access := tenancy.access_level(schema_name);
    select t.status into v_status
    from public.tenants t
    where t.schema_name = require_standing.schema_name;

    -- To a stranger an existing tenant and a missing one look the same.
    if v_status is null or (v_role is null and v_access is null) then
        perform tenancy.log_refusal('tenant_not_found', schema_name);
        raise exception 'There is no tenant %.', coalesce('"' || tenancy.printable(schema_name) || '"', 'without a name')
            using errcode = 'PT404', detail = 'tenant_not_found',
                hint = 'Check the name with list_my_tenants, or ask for access.';
    end if;

    if v_role >= platform then
        return;
    end if;

    if v_access >= member then
        if v_status = 'active' or even_suspended then
            return;
        end if;
        perform tenancy.log_refusal('tenant_suspended', schema_name);
        raise exception 'Tenant "%" is suspended.', schema_name
            using errcode = '42501', detail = 'tenant_suspended',
                hint = 'Nothing is lost. It answers again once a platform admin activates it.';
    end if;

    perform tenancy.log_refusal('forbidden', schema_name);
    raise exception 'This needs % on tenant "%".',
        concat_ws(
            ' or ',
            'the access level "' || member || '"',
            'the platform role "' || platform || '"'
        ),
        schema_name
        using errcode = '42501', detail = 'forbidden',
            hint = 'Ask an admin of the tenant or of the platform.';
end;
$$;

comment on function tenancy.require_standing(text, public.platform_role, public.access_level, boolean) is
    'Refuses whoever has neither this platform role nor this access level in an active tenant (PT401 not_authenticated; 42501: forbidden, tenant_suspended; PT404 tenant_not_found, the same for a stranger and for a missing tenant).';

create or replace function tenancy.require_text(argument text, value text, longest integer, shortest integer default 0)
    returns void
    immutable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- Where an empty text would do, none does.
    if char_length(value) between shortest and longest and (shortest = 0 or value ~ '\S')
        or (value is null and shortest = 0)
    then
        return;
    end if;

    raise exception '"%" is to have %.', argument,
        case
            when shortest = 0 then format('at most %s characters', longest)
            else format('%s to %s characters that are not all spaces', shortest, longest)
        end
        using errcode = 'PT422', detail = 'invalid_request',
            hint = 'Nothing was changed. Send a text of that length.';
end;
$$;

comment on function tenancy.require_text(text, text, integer, integer) is
    'Refuses a text of an argument that is too short or too long, in characters, or blank where it is to have some (PT422 invalid_request, as the functions answer).';

create or replace function tenancy.add_foreign_key(
    schema_name text,
    table_name text,
    column_name text,
    foreign_table text,
    foreign_column text,
    on_delete text,
    on_update text
)
    returns text
    volatile
    security definer
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.require_table(schema_name, table_name);
    v_number constant smallint := tenancy.require_column(schema_name, table_name, column_name);
    v_foreign_table constant oid := tenancy.require_table(schema_name, foreign_table);
    v_foreign_number constant smallint := tenancy.require_column(schema_name, foreign_table, foreign_column);
    v_on_delete constant text := tenancy.require_foreign_key_action(on_delete);
    v_on_update constant text := tenancy.require_foreign_key_action(on_update);
    v_constraint_name text;
begin
    -- With two, PostgREST cannot tell which one a client that embeds the other table means.
    select k.conname into v_constraint_name
    from pg_catalog.pg_constraint k
    where k.conrelid = v_table and k.contype = 'f'
        and k.conkey = array[v_number]
        and k.confrelid = v_foreign_table
        and k.confkey = array[v_foreign_number];
    if found then
        raise exception 'Column "%" of table "%" points at "%" of table "%" already, by the foreign key "%".',
            column_name, table_name, foreign_column, foreign_table, tenancy.printable(v_constraint_name)
            using errcode = 'PT409', detail = 'constraint_exists',
                hint = 'To change what happens on delete or update, drop it first with drop_foreign_key.';
    end if;
    perform tenancy.lock_tables(schema_name, array[table_name, foreign_table], 'share row exclusive');

    -- Without it, every delete on the other side reads this whole table.
    if not exists (
        select from pg_catalog.pg_index i where i.indrelid = v_table and i.indkey[0] = v_number
    ) then
        execute format('create index on %I.%I (%I)', schema_name, table_name, column_name);
    end if;

    -- PostgreSQL finds a name that is free and fits.
    execute format(
        'alter table %1$I.%2$I add foreign key (%3$I) references %1$I.%4$I (%5$I) on delete %6$s on update %7$s not valid',
        schema_name, table_name, column_name, foreign_table, foreign_column, v_on_delete, v_on_update
    );
    select k.conname into strict v_constraint_name
    from pg_catalog.pg_constraint k
    where k.conrelid = v_table and k.contype = 'f'
    order by k.oid desc
    limit 1;
    execute format('alter table %I.%I validate constraint %I', schema_name, table_name, v_constraint_name);
    perform tenancy.reload_schema_cache();

    return v_constraint_name;
exception
    when foreign_key_violation then
        raise exception 'Rows of "%" have values in "%" that "%" does not have in "%".',
            table_name, column_name, foreign_table, foreign_column
            using errcode = 'PT409', detail = 'foreign_key_violation',
                hint = 'Nothing was changed. Correct those rows and try again.';
    when invalid_foreign_key then
        raise exception 'Column "%" of table "%" is neither its primary key nor unique.', foreign_column, foreign_table
            using errcode = 'PT409', detail = 'foreign_key_target',
                hint = 'Point at a primary key or a unique column.';
    when datatype_mismatch then
        raise exception 'Column "%" of table "%" and column "%" of table "%" have types that cannot be compared.',
            column_name, table_name, foreign_column, foreign_table
            using errcode = 'PT400', detail = 'invalid_column_type',
                hint = 'Give both columns the same type.';
    when program_limit_exceeded then
        raise exception 'Values of "%" are too long for the index that a foreign key needs: %.', column_name, sqlerrm
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Nothing was changed. Use a column of short values, such as a uuid.';
    when undefined_object then
        raise exception 'A column of type json cannot be part of a foreign key.'
            using errcode = 'PT400', detail = 'invalid_column_type', hint = 'Use another column.';
end;
$$;

comment on function tenancy.add_foreign_key(text, text, text, text, text, text, text) is
    'Adds a foreign key between two tables of one tenant, indexed and validated; its name. Writers of both tables wait until the transaction ends, readers do not. Only under lock_tenant (PT400 invalid_column_type; PT404: table_not_found, column_not_found; PT409: constraint_exists, foreign_key_violation, foreign_key_target; PT422 invalid_request; 55P03).';

comment on function public.add_foreign_key(text, text, text, text, text, text, text) is
    'Points a column of a tenant''s table at a primary key or unique column of another table of the same tenant, of the template''s tables only at users(id) and settings(key). The column gets an index. Existing rows are checked in the same call: until it ends, writers of both tables wait, up to 60 s on a very large table; readers do not. Admins of the tenant or of the platform. Errors: table_not_found, column_not_found, invalid_column_type, constraint_exists, foreign_key_violation, foreign_key_target, protected_table, invalid_request, tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';

grant execute on function tenancy.caller() to authenticated;

alter policy select_staff on public.admin_users
    using (
        user_id = (select (tenancy.caller()).user_id)
        or (select tenancy.is_platform_staff())
    );

alter policy select_member on public.user_schema_access
    using (
        user_id = (select (tenancy.caller()).user_id)
        or schema_name = any ((select tenancy.administered_tenants())::text[])
        or (select tenancy.is_platform_staff())
    );
