"""The objects of a database, read from the catalog, so that two databases can be compared.

The Supabase CLI compares most of them. The queries here also read what the CLI does not
compare, and some important objects a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

SCHEMAS = ("public", "tenancy", "tenant_template")

Facts = set[tuple[Any, ...]]

# Equal databases give equal rows: names instead of oids, and privileges written out, whether
# they were granted or are the default.
KINDS = {
    "schemas": """
        select n.nspname, n.nspowner::regrole::text, acl.entries, obj_description(n.oid)
        from pg_namespace n
        cross join lateral (
            select array_agg(e::text order by e::text) as entries
            from unnest(coalesce(n.nspacl, acldefault('n', n.nspowner))) e
        ) acl
        where n.nspname = any (%(schemas)s)
    """,
    "relations": """
        select c.oid::regclass::text, c.relkind::text, c.relowner::regrole::text,
            c.relrowsecurity, c.relforcerowsecurity, c.relpersistence::text, c.reloptions,
            acl.entries, obj_description(c.oid, 'pg_class')
        from pg_class c
        cross join lateral (
            select array_agg(e::text order by e::text) as entries
            from unnest(coalesce(
                c.relacl,
                acldefault(case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner)
            )) e
        ) acl
        where c.relnamespace = any (%(schemas)s::regnamespace[])
    """,
    "columns": """
        select a.attrelid::regclass::text, a.attname,
            row_number() over (partition by a.attrelid order by a.attnum),
            format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text,
            a.attgenerated::text, a.attcollation::regcollation::text, a.attacl::text,
            pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum)
        from pg_attribute a
        join pg_class c on c.oid = a.attrelid
        left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where c.relnamespace = any (%(schemas)s::regnamespace[])
            and c.relkind <> 'i' and a.attnum > 0 and not a.attisdropped
    """,
    "constraints": """
        select c.conrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid),
            c.convalidated, obj_description(c.oid, 'pg_constraint')
        from pg_constraint c
        where c.connamespace = any (%(schemas)s::regnamespace[])
    """,
    "indexes": """
        select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), i.indisvalid
        from pg_index i
        join pg_class c on c.oid = i.indrelid
        where c.relnamespace = any (%(schemas)s::regnamespace[])
    """,
    "policies": """
        select p.polrelid::regclass::text, p.polname, p.polcmd::text, p.polpermissive,
            p.polroles::regrole[]::text, pg_get_expr(p.polqual, p.polrelid),
            pg_get_expr(p.polwithcheck, p.polrelid), obj_description(p.oid, 'pg_policy')
        from pg_policy p
        join pg_class c on c.oid = p.polrelid
        where c.relnamespace = any (%(schemas)s::regnamespace[])
    """,
    "triggers": """
        select t.tgrelid::regclass::text, t.tgname, pg_get_triggerdef(t.oid),
            t.tgenabled::text, obj_description(t.oid, 'pg_trigger')
        from pg_trigger t
        join pg_class c on c.oid = t.tgrelid
        where c.relnamespace = any (%(schemas)s::regnamespace[]) and not t.tgisinternal
    """,
    "routines": """
        select p.oid::regprocedure::text, pg_get_functiondef(p.oid),
            p.proowner::regrole::text, acl.entries, obj_description(p.oid, 'pg_proc')
        from pg_proc p
        cross join lateral (
            select array_agg(e::text order by e::text) as entries
            from unnest(coalesce(p.proacl, acldefault('f', p.proowner))) e
        ) acl
        where p.pronamespace = any (%(schemas)s::regnamespace[]) and p.prokind in ('f', 'p')
    """,
    "types": """
        select t.oid::regtype::text, t.typtype::text, t.typowner::regrole::text, acl.entries,
            array(
                select e.enumlabel::text from pg_enum e
                where e.enumtypid = t.oid order by e.enumsortorder
            ),
            obj_description(t.oid, 'pg_type')
        from pg_type t
        cross join lateral (
            select array_agg(e::text order by e::text) as entries
            from unnest(coalesce(t.typacl, acldefault('T', t.typowner))) e
        ) acl
        where t.typnamespace = any (%(schemas)s::regnamespace[])
    """,
    "default privileges": """
        select d.defaclrole::regrole::text, d.defaclnamespace::regnamespace::text,
            d.defaclobjtype::text, e::text
        from pg_default_acl d
        cross join unnest(d.defaclacl) e
    """,
    "extensions": """
        select e.extname, e.extversion, e.extnamespace::regnamespace::text from pg_extension e
    """,
    "event triggers": """
        select t.evtname, t.evtevent, t.evtfoid::regprocedure::text, t.evtenabled::text
        from pg_event_trigger t
    """,
    # Settings of this database only, without its name. Others belong to the whole cluster.
    "role settings": """
        select s.setrole::regrole::text, entry
        from pg_db_role_setting s
        join pg_database d on d.oid = s.setdatabase and d.datname = current_database()
        cross join unnest(s.setconfig) entry
    """,
    "tenant migrations": """
        select m.position, m.version, m.name, m.statements, m.callable_routines::text
        from tenancy.tenant_migrations m
    """,
    "template objects": """
        select o.version, o.object_kind, o.object_name, o.table_name, o.definition
        from tenancy.tenant_template_objects o
    """,
}


def facts(database: psycopg.Connection, kind: str, schemas: Sequence[str] = SCHEMAS) -> Facts:
    def frozen(value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    # With an empty path all names are printed with their schema, also within policies.
    database.execute("set local search_path = ''")
    rows = database.execute(KINDS[kind], {"schemas": list(schemas)}).fetchall()
    return {tuple(map(frozen, row)) for row in rows}


def catalog_differences(
    one: psycopg.Connection, other: psycopg.Connection, schemas: Sequence[str] = SCHEMAS
) -> dict[str, list[Any]]:
    """The rows that only one of two databases has, by kind."""
    differences = {
        kind: sorted(facts(one, kind, schemas) ^ facts(other, kind, schemas), key=str)
        for kind in KINDS
    }
    return {kind: rows for kind, rows in differences.items() if rows}
