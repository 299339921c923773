create function tenancy.require_not_closing(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if tenancy.is_closing(schema_name) then
        raise lock_not_available
            using message = format('Tenant "%s" is being closed.', tenancy.printable(schema_name));
    end if;
end;
$$;

comment on function tenancy.require_not_closing(text) is
    'Refuses a change of a tenant while another session has called lock_tenant_first. Never waits (55P03).';
