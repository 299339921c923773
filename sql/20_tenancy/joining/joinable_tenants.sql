-- The same for every caller and however many tenants there are: the caller's domain decides what
-- is read, and no name that the caller sent. plpgsql, because a condition of the query outside
-- would become one of the query inside of an SQL function.
create function tenancy.joinable_tenants()
    returns setof tenancy.joinable_tenant
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
    v_domain constant text := tenancy.own_domain();
begin
    return query
    select d.schema_name, t.display_name, least(d.access_level, f.access_level), f.expires_at, d.domain
    from tenancy.verified_domains d
    join public.tenants t on t.schema_name = d.schema_name
    left join tenancy.tenants_former_members f on f.schema_name = d.schema_name and f.user_id = v_user_id
    where d.domain = v_domain
        and t.status = 'active'
        -- An expired grant, too, is the decision of an admin that the access has ended.
        and not exists (
            select
            from public.user_schema_access a
            where a.user_id = v_user_id and a.schema_name = d.schema_name
        )
        and (
            f.user_id is null
            or (f.access_level is not null and (f.expires_at is null or f.expires_at > statement_timestamp()))
        );
end;
$$;

comment on function tenancy.joinable_tenants() is
    'The active tenants that the caller may join: verified for their domain, and neither a tenant of theirs nor one that somebody removed them from or where their access expired.';
