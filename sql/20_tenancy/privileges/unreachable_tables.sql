create function tenancy.unreachable_tables(
    schema_name text,
    out table_name text,
    out reason text
)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    with recursive tables as materialized (
        select c.oid, c.relname::text as name, c.relrowsecurity as is_secured,
            -- Only a permissive policy lets a row through; restrictive ones take rows away.
            coalesce(p.is_open, false) as is_open,
            p.is_for_users
        from unnest(tenancy.table_oids(schema_name)) t (oid)
        join pg_catalog.pg_class c on c.oid = t.oid
        left join (
            select o.polrelid,
                bool_or(o.polpermissive and 'authenticated'::regrole = any (o.polroles)) as is_open,
                bool_or('authenticated'::regrole = any (o.polroles)) as is_for_users
            from pg_catalog.pg_policy o
            where o.polrelid = any (tenancy.table_oids(schema_name))
            group by o.polrelid
        ) p on p.polrelid = c.oid
    ),
    -- Who reaches a partitioned table reaches the rows of its partitions.
    reachable as (
        select t.oid from tables t where t.is_secured and t.is_open
        union
        select i.inhrelid
        from reachable r
        join pg_catalog.pg_inherits i on i.inhparent = r.oid
    )
    select t.name, case
        when not t.is_secured and t.is_for_users is null then
            'no client can reach it, because row level security is not enabled on it. Write: alter table … enable row level security; and policies to authenticated.'
        when not t.is_secured then
            'no client can reach it, because it has policies, and row level security is not enabled on it. Write: alter table … enable row level security;'
        when t.is_for_users is null then
            'no client can reach it, not even with the service key, because row level security is enabled on it and it has no policy. Write a policy to authenticated; with using (false) it lets only the service key in.'
        when not t.is_for_users then
            'no client can reach it, not even with the service key, because none of its policies is to authenticated. Write "to authenticated" in them; public does not count.'
        else
            'no signed-in user can reach it, because its policies to authenticated are all restrictive. Add a permissive one.'
    end
    from tables t
    where t.oid not in (select r.oid from reachable r)
    order by t.name;
end;
$$;

comment on function tenancy.unreachable_tables(text) is
    'The tables of a schema that no signed-in user can reach, whatever their access level, each with the reason as a sentence. They may be meant so: this is for warnings.';
