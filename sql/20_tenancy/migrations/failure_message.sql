-- Platform staff read no tenant rows. PostgreSQL keeps the values of a row in the details of an
-- error, and in the message of a data exception.
create function tenancy.failure_message(
    code text,
    message text,
    details text,
    table_name text,
    constraint_name text
)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_columns constant text := substring(details from '^Key \((.*?)\)=\(');
begin
    if code like '22%' and code <> '22012' then
        return 'A value in the tenant does not fit. It is not shown, because it is the tenant''s data.';
    end if;

    -- PostgreSQL names only the key.
    if code in ('23505', '23P01') and table_name <> '' then
        return format(
            'Two rows of table "%s" %s the key "%s"%s. Their values are not shown, because they are the tenant''s data. Change or remove one of the rows, then migrate this tenant again.',
            table_name,
            case code when '23505' then 'have the same values in' else 'conflict in' end,
            constraint_name,
            ' (' || v_columns || ')'
        );
    end if;

    if code in ('42P07', '42710', '42723') then
        return left(message, 1000)
            || '. The tenant has an object of its own with this name. Rename or drop it, then migrate this tenant again.';
    end if;

    return left(message, 2000);
end;
$$;

comment on function tenancy.failure_message(text, text, text, text, text) is
    'The message about a migration that failed in a tenant, without values of the tenant, from what PostgreSQL says about the error.';
