create function tenancy.require_project_registration(version text, statements text)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if version like 'tenantry\_%' then
        raise exception 'Tenant migration % has a version with the prefix tenantry_, which is reserved for Tenantry''s own migrations. Give it another version, such as the timestamp that `tenantry new` writes.', version;
    end if;

    if statements ~ '^\s*$' then
        raise exception 'Tenant migration % is empty: fill it in, then push again. Its text cannot be changed once it is registered.', version;
    end if;
end;
$$;

comment on function tenancy.require_project_registration(text, text) is
    'Refuses a version that is reserved for Tenantry, and an empty text.';
