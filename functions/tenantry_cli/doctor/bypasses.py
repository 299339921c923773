"""Access that bypasses the layers: publications, foreign keys, views, default privileges."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from tenantry_cli.doctor.problem import Connection, Priority, Problem

_PUBLISHED = """
select distinct p.pubname::text as publication, t.schemaname::text as schema,
    t.tablename::text as name, p.puballtables as is_all,
    exists (
        select from pg_publication_rel r
        where r.prpubid = p.oid
            and r.prrelid = format('%I.%I', t.schemaname, t.tablename)::regclass
    ) as is_named
from pg_publication p
join pg_publication_tables t on t.pubname = p.pubname
where exists (select from public.tenants e where e.schema_name = t.schemaname)
order by 1, 2, 3
"""

_FOREIGN_KEYS = """
select n.nspname::text as schema, c.relname::text as name, k.conname::text as constraint,
    fn.nspname::text as foreign_schema, fc.relname::text as foreign_table
from pg_constraint k
join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
join pg_class fc on fc.oid = k.confrelid
join pg_namespace fn on fn.oid = fc.relnamespace
where k.contype = 'f'
    and fn.oid <> n.oid
    and (exists (select from public.tenants t where t.schema_name = n.nspname)
        or exists (select from public.tenants t where t.schema_name = fn.nspname))
"""

# Views in other schemas that read the rows of a tenant with the rights of the view's owner.
_VIEWS = """
select distinct vn.nspname::text as schema, v.relname::text as name, tn.nspname::text as tenant
from pg_depend d
join pg_rewrite w on w.oid = d.objid and d.classid = 'pg_rewrite'::regclass
join pg_class v on v.oid = w.ev_class
join pg_namespace vn on vn.oid = v.relnamespace
join pg_class c on c.oid = d.refobjid and d.refclassid = 'pg_class'::regclass
join pg_namespace tn on tn.oid = c.relnamespace
where vn.oid <> tn.oid
    and exists (select from public.tenants t where t.schema_name = tn.nspname)
    and not (v.relkind = 'v' and tenancy.is_security_invoker(v.reloptions))
    and exists (
        select from aclexplode(v.relacl) a
        left join pg_roles r on r.oid = a.grantee
        where a.grantee = 0 or r.rolname in ('anon', 'authenticated', 'service_role')
    )
"""

_DEFAULTS = """
select n.nspname::text as schema, o.rolname::text as owner, d.defaclobjtype::text as kind,
    coalesce(r.rolname, 'public')::text as grantee
from pg_default_acl d
left join pg_namespace n on n.oid = d.defaclnamespace
join pg_roles o on o.oid = d.defaclrole
cross join aclexplode(d.defaclacl) a
left join pg_roles r on r.oid = a.grantee
where (a.grantee = 0 or r.rolname in ('anon', 'authenticated', 'service_role'))
    and d.defaclobjtype in ('r', 'S', 'f')
    and (
        -- By default, PostgreSQL lets PUBLIC execute each new function.
        (d.defaclnamespace = 0 and not (d.defaclobjtype = 'f' and a.grantee = 0))
        or n.nspname in ('tenancy', 'tenant_template')
        or exists (select from public.tenants t where t.schema_name = n.nspname)
    )
group by 1, 2, 3, 4
"""

_KINDS = {"r": "tables", "S": "sequences", "f": "functions"}


def examine_bypasses(connection: Connection) -> Iterator[Problem]:
    yield from _publications(connection)
    yield from _foreign_keys(connection)
    yield from _views(connection)
    yield from _defaults(connection)


def _publications(connection: Connection) -> Iterator[Problem]:
    for row in connection.execute(_PUBLISHED):
        table = f"{row['schema']}.{row['name']}"
        repair: tuple[sql.SQL | sql.Composed, ...] = ()
        publication = sql.Identifier(row["publication"])
        remediation = f"Let {row['publication']} publish tables by name instead of all tables."
        if row["is_named"]:
            statement = sql.SQL("alter publication {} drop table {}").format(
                publication, sql.Identifier(row["schema"], row["name"])
            )
            repair, remediation = (statement,), f"{statement.as_string(connection)};"
        yield Problem(
            "published",
            table,
            f"The tenant table {table} is in the publication {row['publication']}. Realtime "
            "sends DELETE events of the table without checking policies.",
            remediation,
            Priority.EXCESS_ACCESS,
            repair,
        )


def _foreign_keys(connection: Connection) -> Iterator[Problem]:
    for row in connection.execute(_FOREIGN_KEYS):
        table = f"{row['schema']}.{row['name']}"
        statement = sql.SQL("alter table {} drop constraint {}").format(
            sql.Identifier(row["schema"], row["name"]), sql.Identifier(row["constraint"])
        )
        yield Problem(
            "foreign key out of the tenant",
            table,
            f"The foreign key {row['constraint']} of {table} references "
            f"{row['foreign_schema']}.{row['foreign_table']}. Error messages disclose which "
            "keys exist in the other schema.",
            f"{statement.as_string(connection)};",
            Priority.EXCESS_ACCESS,
            (statement,),
        )


def _views(connection: Connection) -> Iterator[Problem]:
    for row in connection.execute(_VIEWS):
        view = f"{row['schema']}.{row['name']}"
        statement = sql.SQL(
            "revoke all on {} from public, anon, authenticated, service_role"
        ).format(sql.Identifier(row["schema"], row["name"]))
        yield Problem(
            "view around the layers",
            view,
            f"API roles may read the view {view}, which reads rows of tenant {row['tenant']} "
            "with the rights of the view's owner.",
            f"{statement.as_string(connection)}; or set security_invoker on the view.",
            Priority.EXCESS_ACCESS,
            (statement,),
        )


def _defaults(connection: Connection) -> Iterator[Problem]:
    for row in connection.execute(_DEFAULTS):
        kind = _KINDS[row["kind"]]
        where = f"in schema {row['schema']}" if row["schema"] else "in every schema"
        clause = sql.SQL("")
        if row["schema"]:
            clause = sql.SQL("in schema {} ").format(  # type: ignore[assignment]
                sql.Identifier(row["schema"])
            )
        grantee = row["grantee"]
        statement = sql.SQL(
            "alter default privileges for role {} {}revoke all on {} from {}"
        ).format(
            sql.Identifier(row["owner"]),
            clause,
            sql.SQL(kind),
            sql.SQL("public") if grantee == "public" else sql.Identifier(grantee),
        )
        yield Problem(
            "default privileges",
            row["schema"] or "database",
            f"{grantee} gets privileges on new {kind} of {row['owner']} {where}. Unregistered "
            f"{kind} would be accessible.",
            f"{statement.as_string(connection)};",
            Priority.EXCESS_ACCESS,
            (statement,) if row["owner"] == "postgres" else (),
        )
