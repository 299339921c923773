create function tenancy.external_changes()
    returns text[]
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    -- The text contains the row's place in the catalog, so that a second change of one object
    -- is detected.
    select array(
        select o.object_name || ' ' || o.place
        from (
            select 'schema ' || quote_ident(n.nspname) as object_name, n.ctid as place, n.xmin as writer
            from pg_catalog.pg_namespace n
            -- PostgreSQL creates these schemas for a session's first temporary table.
            where n.nspname !~ '^pg_(toast_)?temp_'
            union all
            select 'relation ' || c.oid::regclass, c.ctid, c.xmin
            from pg_catalog.pg_class c
            where c.relnamespace not in ('tenant_template'::regnamespace, 'pg_toast'::regnamespace)
            union all
            select 'routine ' || p.oid::regprocedure, p.ctid, p.xmin
            from pg_catalog.pg_proc p
            where p.pronamespace <> 'tenant_template'::regnamespace
            union all
            select 'type ' || format_type(t.oid, null), t.ctid, t.xmin
            from pg_catalog.pg_type t
            where t.typnamespace not in ('tenant_template'::regnamespace, 'pg_toast'::regnamespace)
                and t.typtype in ('d', 'e', 'r')
            union all
            select format('trigger %I on %s', t.tgname, c.oid::regclass), t.ctid, t.xmin
            from pg_catalog.pg_trigger t
            join pg_catalog.pg_class c on c.oid = t.tgrelid
            where c.relnamespace <> 'tenant_template'::regnamespace and not t.tgisinternal
            union all
            select format('policy %I on %s', p.polname, c.oid::regclass), p.ctid, p.xmin
            from pg_catalog.pg_policy p
            join pg_catalog.pg_class c on c.oid = p.polrelid
            where c.relnamespace <> 'tenant_template'::regnamespace
            union all
            select 'publication ' || quote_ident(p.pubname), p.ctid, p.xmin
            from pg_catalog.pg_publication p
            union all
            -- Realtime sends deletions without asking a policy.
            select 'publication ' || quote_ident(p.pubname), r.ctid, r.xmin
            from pg_catalog.pg_publication_rel r
            join pg_catalog.pg_publication p on p.oid = r.prpubid
            union all
            select 'default privileges of ' || d.defaclrole::regrole, d.ctid, d.xmin
            from pg_catalog.pg_default_acl d
            where d.defaclnamespace <> 'tenant_template'::regnamespace
        ) o
        where age(o.writer) <= age(pg_current_xact_id()::xid)
            -- This transaction wrote the row: uncommitted rows of others are not visible.
            and pg_xact_status(tenancy.full_transaction_id(o.writer)) = 'in progress'
    );
$$;

comment on function tenancy.external_changes() is
    'Objects outside the reference schema that this transaction has created or changed, and publications that it has changed. Reads the whole catalog.';
