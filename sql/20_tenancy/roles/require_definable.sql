create function tenancy.require_definable(schema_name text, role_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '2s'
    language plpgsql
as $$
declare
    v_limit constant integer := (select s.max_roles from tenancy.platform_settings s);
begin
    -- declare_role must not take the name at the same time.
    lock table tenancy.template_roles in share mode;

    if exists (select from tenancy.template_roles r where r.role_name = require_definable.role_name) then
        raise exception 'The role "%" is one of the template.', role_name
            using errcode = 'PT409', detail = 'role_exists',
                hint = 'Nothing was changed. Choose another name.';
    end if;

    if (
        select count(*)
        from tenancy.tenants_roles r
        where r.schema_name = require_definable.schema_name and r.role_name <> require_definable.role_name
    ) >= v_limit then
        raise exception 'Tenant "%" has % roles of its own, which is the limit.', schema_name, v_limit
            using errcode = 'PT409', detail = 'role_limit',
                hint = 'Drop one that is no longer needed, or ask the platform''s staff for a higher limit.';
    end if;
end;
$$;

comment on function tenancy.require_definable(text, text) is
    'Refuses the name of a role of the template, and another role of a tenant that has as many as the platform allows. Until the transaction ends, no role of the template changes. Only under a lock of the tenant (PT409: role_exists, role_limit; 55P03).';
