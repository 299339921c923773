create function public.verify_tenant_domain(
    schema_name text,
    domain text,
    txt_records text[] default null
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
    v_before tenancy.tenants_domains;
    v_after tenancy.tenants_domains;
    v_shown public.tenantry_tenant_domain;
begin
    perform tenancy.require_permission(schema_name, platform => 'admin', member => null);
    perform tenancy.lock_users(array[v_caller.user_id]);
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => null);
    v_before := tenancy.require_tenant_domain(schema_name, domain);
    v_shown := tenancy.shown_domain(v_before);
    perform tenancy.require_private_domain(v_before.domain);
    if txt_records is not null and v_shown.txt_value is null then
        raise exception '"%" is an SSO provider, which has no TXT records.', v_before.domain
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Nothing was changed. Leave txt_records out to vouch for the provider.';
    end if;
    if txt_records is not null
        and not exists (
            -- Some resolvers return a text with its quotes.
            select from unnest(txt_records) r (value) where btrim(r.value, ' "') = v_shown.txt_value
        )
    then
        raise exception 'The TXT records of "%" do not have the value of tenant "%".', v_shown.txt_name, schema_name
            using errcode = 'PT409', detail = 'domain_unproved',
                hint = 'Publish the TXT record that list_tenant_domains shows, and try again once DNS has it.';
    end if;
    if v_before.verified_at is not null then
        return v_shown;
    end if;

    update tenancy.tenants_domains d
    set verified_at = now(), verified_by = v_caller.user_id
    where d.schema_name = v_before.schema_name and d.domain = v_before.domain
    returning * into v_after;

    perform tenancy.log_action(
        'access.verify_domain', v_tenant,
        jsonb_build_object(
            'after', to_jsonb(tenancy.shown_domain(v_after)),
            'proof', case when txt_records is null then 'vouched' else 'txt' end
        )
    );

    return tenancy.shown_domain(v_after);
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.verify_tenant_domain(text, text, text[]) is
    'Verifies a domain of a tenant, whose users may join the tenant from then on. '
    'txt_records are the TXT records that DNS has under txt_name: the database cannot ask DNS, so a '
    'job with the service key or a platform admin does. They have to include txt_value. Without '
    'txt_records the caller vouches for the domain, and the audit log says so; an SSO provider is '
    'verified in this way alone. Several tenants may have the same domain. A verified domain stays '
    'verified until it is removed. '
    'Callers: platform admin. '
    'Errors: invalid_request, tenant_not_found, domain_not_found, domain_unproved, forbidden, '
    'not_authenticated, busy.';
