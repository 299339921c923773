create function tenancy.declare_permission(permission text, description text default null)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if permission is null or permission !~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$' or char_length(permission) > 100 then
        raise exception 'The name of a permission has up to 100 characters, in two parts or more: what and then the verb, as in invoices.approve. A part has lower-case letters a-z, digits and underscores, a letter first.'
            using errcode = 'PT400', detail = 'invalid_identifier',
                hint = 'Nothing was changed. Choose another name.';
    end if;

    insert into tenancy.permissions as p (permission, description)
    values (permission, description)
    on conflict on constraint permissions_pkey do update
    set description = excluded.description
    where p.permission = excluded.permission;
end;
$$;

comment on function tenancy.declare_permission(text, text) is
    'Declares a permission of the product, or changes its description, in a migration of the project. Roles may then give it, and the admins of every tenant have it at once (PT400 invalid_identifier).';
