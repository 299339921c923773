create function public.add_tenant_domain(
    schema_name text,
    domain text,
    access_level tenancy.access_level default 'read'
)
    returns public.tenantry_tenant_domain
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    v_tenant public.tenants;
    v_domain text;
    v_before tenancy.tenants_domains;
    v_after tenancy.tenants_domains;
begin
    perform tenancy.require_permission(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.lock_users(array[v_caller.user_id]);
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');
    v_domain := tenancy.require_domain(domain);
    perform tenancy.require_private_domain(v_domain);
    perform tenancy.require_argument('access_level', access_level::text);
    if access_level = 'admin' then
        raise exception 'A domain cannot give the level "admin".'
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Nothing was changed. Send "read" or "write", and make a member admin with grant_schema_access.';
    end if;
    -- Whoever joins has access that does not expire.
    perform tenancy.require_grantable(schema_name, null, access_level, null);

    select * into v_before
    from tenancy.tenants_domains d
    where d.schema_name = add_tenant_domain.schema_name and d.domain = v_domain;
    if v_before.access_level = add_tenant_domain.access_level then
        return tenancy.shown_domain(v_before);
    end if;
    if v_before.domain is null then
        perform tenancy.require_below_domain_limit(schema_name);
    end if;

    insert into tenancy.tenants_domains as d (schema_name, domain, access_level, challenge, added_by)
    values (
        schema_name, v_domain, access_level,
        case when v_domain not like 'sso:%' then tenancy.new_challenge() end, v_caller.user_id
    )
    on conflict on constraint tenants_domains_pkey do update
    set access_level = excluded.access_level
    where d.schema_name = excluded.schema_name and d.domain = excluded.domain
    returning * into v_after;

    perform tenancy.log_action(
        'access.add_domain', v_tenant,
        jsonb_build_object(
            'before', to_jsonb(tenancy.shown_domain(v_before)),
            'after', to_jsonb(tenancy.shown_domain(v_after))
        )
    );

    return tenancy.shown_domain(v_after);
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.add_tenant_domain(text, text, tenancy.access_level) is
    'Adds a domain whose users may join a tenant once it is verified, and returns it with the DNS TXT record to publish. '
    'The reply names the record: txt_name and txt_value. verify_tenant_domain verifies the domain. '
    'access_level is what join_tenant gives, read or write. Another call for the same domain '
    'changes the level for those who join later. Subdomains are domains of their own. A public '
    'mail domain and its subdomains are refused. Instead of a domain, sso: and the id of an SSO '
    'provider in Auth lets in whoever signs in by it; there is no TXT record then. An admin of the '
    'tenant whose own access expires cannot add a domain. '
    'Callers: tenant admin, platform admin. '
    'Errors: invalid_request, tenant_not_found, domain_limit, tenant_suspended, forbidden, '
    'not_authenticated, busy.';
