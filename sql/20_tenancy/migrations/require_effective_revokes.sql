-- PostgreSQL revokes a privilege on columns without a word, and without effect, while the role has
-- it on the whole table. A member would read the column.
create function tenancy.require_effective_revokes(migration tenancy.tenant_migrations)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_table record;
begin
    select c.relname, v.verb, a.grantee::regrole as grantee into v_table
    from regexp_matches(
        lower(tenancy.without_comments(migration.statements, even_in_bodies => true)),
        '\mrevoke\s+((?:(?!\mon\M)[^;(])*\([^;)]*\)(?:(?!\mon\M)[^;])*)\son\s+(?:table\s+)?([^;]*?)\s+from\s+([^;]+)',
        'g'
    ) r (parts)
    cross join regexp_split_to_table(r.parts[2], '\s*,\s*') t (name)
    join pg_catalog.pg_class c
        on c.relnamespace = 'tenant_template'::regnamespace and lower(c.relname) = trim(t.name, '"')
    cross join aclexplode(c.relacl) a
    cross join lateral lower(a.privilege_type) v (verb)
    where v.verb in ('select', 'insert', 'update')
        and r.parts[1] ~ format('\m(%s|all)\M', v.verb)
        and a.grantee = any (array['authenticated'::regrole, 'service_role'::regrole])
        and r.parts[3] ~ format('\m%s\M', a.grantee::regrole)
    order by c.relname, v.verb, 3
    limit 1;
    if not found then
        return;
    end if;

    raise exception 'Tenant migration % revokes % on columns of "%", and % keeps it on the whole table, so PostgreSQL revokes nothing. Write: revoke % on % from %; grant % (<the other columns>) on % to %;',
        migration.version, v_table.verb, v_table.relname, v_table.grantee,
        v_table.verb, quote_ident(v_table.relname), v_table.grantee,
        v_table.verb, quote_ident(v_table.relname), v_table.grantee
        using errcode = 'object_not_in_prerequisite_state';
end;
$$;

comment on function tenancy.require_effective_revokes(tenancy.tenant_migrations) is
    'Refuses a tenant migration that revokes a privilege on columns which the role has on the whole table (55000). Only between open_reference and apply_tenant_privileges.';
