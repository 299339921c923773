create function tenancy.make_reference()
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if to_regnamespace('tenant_template') is null then
        create schema tenant_template;
        comment on schema tenant_template is
            'Reference schema: the tenant template after the latest tenant migration. It holds no rows and is never exposed.';
    end if;
end;
$$;

comment on function tenancy.make_reference() is 'Creates the reference schema if it does not exist.';
