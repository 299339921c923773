create function tenancy.external_changes()
    returns text[]
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with written as (
        select w.catalog, w.object, w.place
        from (
            select 'pg_namespace'::regclass, n.oid, n.ctid, n.xmin from pg_catalog.pg_namespace n
            union all
            select 'pg_class'::regclass, c.oid, c.ctid, c.xmin
            from pg_catalog.pg_class c
            where c.oid not in (select s.relation from tenancy.shared_tables s)
            union all
            -- A privilege on a column.
            select 'pg_class'::regclass, a.attrelid, a.ctid, a.xmin
            from pg_catalog.pg_attribute a
            where a.attacl is not null
            union all
            select 'pg_attrdef'::regclass, d.oid, d.ctid, d.xmin from pg_catalog.pg_attrdef d
            union all
            select 'pg_constraint'::regclass, k.oid, k.ctid, k.xmin from pg_catalog.pg_constraint k
            union all
            select 'pg_rewrite'::regclass, r.oid, r.ctid, r.xmin from pg_catalog.pg_rewrite r
            union all
            select 'pg_policy'::regclass, p.oid, p.ctid, p.xmin from pg_catalog.pg_policy p
            union all
            select 'pg_trigger'::regclass, t.oid, t.ctid, t.xmin
            from pg_catalog.pg_trigger t
            where not t.tgisinternal
            union all
            select 'pg_proc'::regclass, p.oid, p.ctid, p.xmin from pg_catalog.pg_proc p
            union all
            select 'pg_type'::regclass, t.oid, t.ctid, t.xmin from pg_catalog.pg_type t where t.typtype in ('d', 'e', 'r')
            union all
            select 'pg_operator'::regclass, o.oid, o.ctid, o.xmin from pg_catalog.pg_operator o
            union all
            select 'pg_opclass'::regclass, o.oid, o.ctid, o.xmin from pg_catalog.pg_opclass o
            union all
            select 'pg_opfamily'::regclass, o.oid, o.ctid, o.xmin from pg_catalog.pg_opfamily o
            union all
            select 'pg_cast'::regclass, c.oid, c.ctid, c.xmin from pg_catalog.pg_cast c
            union all
            select 'pg_collation'::regclass, c.oid, c.ctid, c.xmin from pg_catalog.pg_collation c
            union all
            select 'pg_conversion'::regclass, c.oid, c.ctid, c.xmin from pg_catalog.pg_conversion c
            union all
            select 'pg_statistic_ext'::regclass, s.oid, s.ctid, s.xmin from pg_catalog.pg_statistic_ext s
            union all
            select 'pg_ts_config'::regclass, c.oid, c.ctid, c.xmin from pg_catalog.pg_ts_config c
            union all
            select 'pg_ts_dict'::regclass, d.oid, d.ctid, d.xmin from pg_catalog.pg_ts_dict d
            union all
            select 'pg_language'::regclass, l.oid, l.ctid, l.xmin from pg_catalog.pg_language l
            union all
            select 'pg_extension'::regclass, e.oid, e.ctid, e.xmin from pg_catalog.pg_extension e
            union all
            select 'pg_event_trigger'::regclass, t.oid, t.ctid, t.xmin from pg_catalog.pg_event_trigger t
            union all
            select 'pg_foreign_data_wrapper'::regclass, w.oid, w.ctid, w.xmin from pg_catalog.pg_foreign_data_wrapper w
            union all
            select 'pg_foreign_server'::regclass, s.oid, s.ctid, s.xmin from pg_catalog.pg_foreign_server s
            union all
            select 'pg_publication'::regclass, p.oid, p.ctid, p.xmin from pg_catalog.pg_publication p
            union all
            -- Realtime sends deletions without asking a policy.
            select 'pg_publication'::regclass, p.prpubid, p.ctid, p.xmin from pg_catalog.pg_publication_rel p
            union all
            select 'pg_publication'::regclass, p.pnpubid, p.ctid, p.xmin from pg_catalog.pg_publication_namespace p
            union all
            select 'pg_default_acl'::regclass, d.oid, d.ctid, d.xmin from pg_catalog.pg_default_acl d
            union all
            select 'pg_largeobject'::regclass, l.oid, l.ctid, l.xmin from pg_catalog.pg_largeobject_metadata l
            union all
            select 'pg_database'::regclass, d.oid, d.ctid, d.xmin from pg_catalog.pg_database d
            union all
            select case s.setrole when 0 then 'pg_database'::regclass else 'pg_authid'::regclass end,
                case s.setrole when 0 then s.setdatabase else s.setrole end, s.ctid, s.xmin
            from pg_catalog.pg_db_role_setting s
            union all
            select 'pg_authid'::regclass, m.member, m.ctid, m.xmin from pg_catalog.pg_auth_members m
            union all
            -- Comments and security labels.
            select d.classoid::regclass, d.objoid, d.ctid, d.xmin from pg_catalog.pg_description d
            union all
            select d.classoid::regclass, d.objoid, d.ctid, d.xmin from pg_catalog.pg_shdescription d
            union all
            select l.classoid::regclass, l.objoid, l.ctid, l.xmin from pg_catalog.pg_seclabel l
            union all
            select l.classoid::regclass, l.objoid, l.ctid, l.xmin from pg_catalog.pg_shseclabel l
        ) w (catalog, object, place, writer)
        -- Of the catalogs of all tenants, only the few rows that may be new pay for the call.
        where age(w.writer) <= age(pg_current_xact_id()::xid)
            and tenancy.is_written_now(w.writer)
    )
    -- The text contains the row's place in the catalog, so that a second change of one object
    -- is detected.
    select array(
        select format('%s %s %s', replace(i.type, 'default acl', 'default privileges'), i.identity, w.place)
        from written w
        cross join lateral pg_identify_object(w.catalog, w.object, 0) i
        where i.schema is distinct from 'tenant_template'
            -- PostgreSQL makes casts for a range type.
            and i.identity !~ '(^for |^\(| on )tenant_template\.'
            -- The schemas that hold long values, and a session's temporary objects.
            and i.identity !~ '(^|^for | on )pg_(toast|temp|toast_temp)(_[0-9]+)?(\.|$)'
        union all
        -- The first foreign key to a table marks it in the catalog as having triggers. Everything
        -- else about a shared table stays.
        select format(
            'table %s (%s)',
            c.oid::regclass,
            md5(row(
                c.relname, c.relnamespace, c.relowner, c.relfilenode, c.relpersistence, c.relnatts, c.relchecks,
                c.relhasrules, c.relrowsecurity, c.relforcerowsecurity, c.relacl, c.reloptions,
                array(select p.oid from pg_catalog.pg_policy p where p.polrelid = c.oid order by p.oid),
                array(select k.oid from pg_catalog.pg_constraint k where k.conrelid = c.oid order by k.oid),
                array(select i.indexrelid from pg_catalog.pg_index i where i.indrelid = c.oid order by i.indexrelid),
                array(
                    select t.oid from pg_catalog.pg_trigger t
                    where t.tgrelid = c.oid and not t.tgisinternal
                    order by t.oid
                )
            )::text)
        )
        from tenancy.shared_tables s
        join pg_catalog.pg_class c on c.oid = s.relation
    );
$$;

comment on function tenancy.external_changes() is
    'Objects outside the reference schema that this transaction has created or changed, default privileges, publications, roles and databases included. Reads the whole catalog.';
