create function tenancy.default_privileges()
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return coalesce(
        (
            select string_agg(format('%s %s %s', d.defaclrole::regrole, d.defaclobjtype, d.defaclacl), ', ' order by d.oid)
            from pg_catalog.pg_default_acl d
            where d.defaclnamespace = 0
        ),
        ''
    );
end;
$$;

comment on function tenancy.default_privileges() is
    'The default privileges that objects in a new schema get, as text.';
