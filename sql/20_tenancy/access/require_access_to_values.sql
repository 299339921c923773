-- Whether existing rows satisfy a constraint tells about their values: by a table of guesses and a
-- foreign key, one can find out each value of a column.
create function tenancy.require_access_to_values(schema_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if (tenancy.caller()).kind in ('service_role', 'postgres')
        or tenancy.access_level(schema_name) = 'admin'
    then
        return;
    end if;

    perform tenancy.log_refusal('forbidden', schema_name);
    raise exception 'This operation tells about the rows of tenant "%", which platform staff do not read.', schema_name
        using errcode = '42501', detail = 'forbidden',
            hint = 'Open support access of the level "admin" with open_support_access first, or ask an admin of the tenant.';
end;
$$;

comment on function tenancy.require_access_to_values(text) is
    'Refuses platform staff without the level admin in a tenant an operation whose result tells about the values of rows. The service key and the owner read them anyway (42501 forbidden).';
