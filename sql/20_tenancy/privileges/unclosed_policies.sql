-- The policies of a migration say which rows a user may see, and a user who is no member, or no
-- longer, may own rows. A restrictive policy has to stop them.
create function tenancy.unclosed_policies(
    schema_name text,
    out relation oid,
    out verb text,
    out level tenancy.access_level,
    out policy_name text,
    out is_new boolean
)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select c.oid, v.verb, v.level, 'only_' || v.verb || '_' || tenancy.policy_suffix(v.level), w.is_new
    from unnest(tenancy.table_oids(schema_name)) t (oid)
    join pg_catalog.pg_class c on c.oid = t.oid
    cross join (
        values
        ('r', 'select', 'read'::tenancy.access_level),
        ('a', 'insert', 'write'),
        ('w', 'update', 'write'),
        ('d', 'delete', 'write')
    ) v (command, verb, level)
    cross join lateral (
        select bool_or(tenancy.is_written_now(p.xmin)) as is_new
        from pg_catalog.pg_policy p
        cross join lateral (
            select p.polqual where v.command <> 'a'
            union all
            -- Without a check, the condition of USING decides.
            select coalesce(p.polwithcheck, p.polqual) where v.command in ('a', 'w')
        ) e (tree)
        where p.polrelid = c.oid
            and p.polcmd::text in (v.command, '*')
            and p.polpermissive
            and p.polroles && array[0::oid, 'authenticated'::regrole]
            and pg_get_expr(e.tree, p.polrelid) !~ 'tenancy\.open_tenants|^false$'
    ) w
    -- Nobody has a privilege that only policies to PUBLIC would justify.
    where strpos(tenancy.policy_verbs(c.oid), v.verb) > 0
        and w.is_new is not null
        and not exists (
            select
            from pg_catalog.pg_policy p
            where p.polrelid = c.oid
                and p.polcmd::text in (v.command, '*')
                and not p.polpermissive
                and p.polroles && array[0::oid, 'authenticated'::regrole]
                and (v.command = 'a' or pg_get_expr(p.polqual, p.polrelid) ~ 'tenancy\.open_tenants')
                and (
                    v.command not in ('a', 'w')
                    or pg_get_expr(coalesce(p.polwithcheck, p.polqual), p.polrelid) ~ 'tenancy\.open_tenants'
                )
        );
end;
$$;

comment on function tenancy.unclosed_policies(text) is
    'The commands for which permissive policies of a table do not ask for membership, and no restrictive policy does: each with the access level and the name of the policy that is missing. is_new says that this transaction has written such a permissive policy.';
