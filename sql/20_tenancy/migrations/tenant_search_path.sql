create function tenancy.tenant_search_path(schema_name text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return format('%I, extensions, pg_temp', schema_name);
end;
$$;

comment on function tenancy.tenant_search_path(text) is
    'The search path of a tenant migration and of the routines that it makes: the tenant''s schema, then extensions. PostgreSQL looks into pg_catalog before both.';
