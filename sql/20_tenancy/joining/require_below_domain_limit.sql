create function tenancy.require_below_domain_limit(schema_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_limit constant integer := (select s.max_domains from tenancy.platform_settings s);
begin
    if (
        select count(*)
        from tenancy.tenants_domains d
        where d.schema_name = require_below_domain_limit.schema_name
    ) >= v_limit then
        raise exception 'Tenant "%" has % domains, which is the limit.', schema_name, v_limit
            using errcode = 'PT409', detail = 'domain_limit',
                hint = 'Remove one that is no longer needed, or ask the platform''s staff for a higher limit.';
    end if;
end;
$$;

comment on function tenancy.require_below_domain_limit(text) is
    'Refuses another domain if the tenant has as many as the platform allows (PT409 domain_limit). Only under a lock of the tenant.';
