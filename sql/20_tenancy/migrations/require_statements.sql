create function tenancy.require_statements(version text, statements text)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if coalesce(statements, '') ~ '^\s*$' then
        raise exception 'The text for tenant migration "%" is empty.', version
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Give the SQL as for one tenant. To remove the migration altogether, withdraw it.';
    end if;
    if statements ~ '\mtenant_template\M' then
        raise exception 'The text for tenant migration "%" names the reference schema.', version
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Leave names unqualified: the migration runs once in each tenant.';
    end if;
end;
$$;

comment on function tenancy.require_statements(text, text) is
    'Requires a text for a tenant migration that is not empty and does not name the reference schema (PT422 invalid_request).';
