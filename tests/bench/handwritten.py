"""A script that creates all objects of a tenant, as somebody could write it by hand.

It is generated from the catalog of a tenant that `create_tenant_schema` created. Drift and
privileges are compared, to prove that the script creates the same objects.
"""

from __future__ import annotations

from .databases import Database, new_name

# In the order in which the objects need each other.
_STATEMENTS = """
with tables as (
    select c.oid, c.relname, c.relacl from pg_class c
    where c.relnamespace = %(schema)s::text::regnamespace and c.relkind = 'r'
),
statements as (
    select 2 as step, t.relname as sort_key, format('create table {schema}.%%I (%%s);', t.relname, string_agg(
        format('%%I %%s%%s%%s%%s', a.attname, format_type(a.atttypid, a.atttypmod),
            case when a.attnotnull then ' not null' end,
            ' default ' || pg_get_expr(d.adbin, d.adrelid),
            case when a.attidentity = 'a' then ' generated always as identity' end),
        ', ' order by a.attnum)
        || coalesce((select string_agg(format(', constraint %%I %%s', k.conname, pg_get_constraintdef(k.oid)), '')
            from pg_constraint k where k.conrelid = t.oid and k.contype in ('p', 'u', 'c')), '')) as statement
    from tables t
    join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = t.oid and d.adnum = a.attnum
    group by t.oid, t.relname
    union all
    select 3, t.relname || d.objsubid, format('comment on %%s is %%L;',
        case d.objsubid when 0 then format('table {schema}.%%I', t.relname)
            else format('column {schema}.%%I.%%I', t.relname, a.attname) end,
        d.description)
    from tables t
    join pg_description d on d.objoid = t.oid and d.classoid = 'pg_class'::regclass
    left join pg_attribute a on a.attrelid = t.oid and a.attnum = d.objsubid
    union all
    select 4, t.relname, format('alter table {schema}.%%I enable row level security;', t.relname)
    from tables t
    union all
    select 5, t.relname || p.policyname, format('create policy %%I on {schema}.%%I for %%s to %%s%%s%%s;',
        p.policyname, t.relname, p.cmd, array_to_string(p.roles, ', '),
        ' using (' || p.qual || ')', ' with check (' || p.with_check || ')')
    from tables t
    join pg_policies p on p.schemaname = %(schema)s::text and p.tablename = t.relname
    union all
    select 6, p.proname, pg_get_functiondef(p.oid) || ';'
    from pg_proc p where p.pronamespace = %(schema)s::text::regnamespace
    union all
    select 7, t.relname || g.tgname, pg_get_triggerdef(g.oid) || ';'
    from tables t join pg_trigger g on g.tgrelid = t.oid and not g.tgisinternal
    union all
    select 8, t.relname, format('grant %%s on {schema}.%%I to authenticated, service_role;',
        string_agg(x.privilege_type, ', '), t.relname)
    from tables t cross join aclexplode(t.relacl) x
    where x.grantee = 'authenticated'::regrole
    group by t.relname
    union all
    select 8, p.proname, format('revoke all on function %%s from public, anon, authenticated, service_role;', p.oid::regprocedure)
    from pg_proc p where p.pronamespace = %(schema)s::text::regnamespace
)
select string_agg(statement, E'\\n' order by step, sort_key) from statements
"""
# What makes the schema a tenant: its row in the registry and its entry in the audit log. Below,
# the script appends the schema to a known list of exposed schemas.
_REGISTRY = """
insert into public.tenants (schema_name, display_name, schema_version)
values ('{schema}', '{schema}', (select tenancy.latest_tenant_version()));
insert into public.admin_audit_log (actor_role, action, schema_name, tenant_id, details)
select 'super_admin', 'tenant.create', t.schema_name, t.id, jsonb_build_object('after', to_jsonb(t))
from public.tenants t where t.schema_name = '{schema}';
"""


def script(database: Database) -> str:
    """One transaction with {schema} for the schema name. Fails if its objects differ."""
    model = database.create()
    statements = database.sql.execute(
        _STATEMENTS.encode(),
        {"schema": model},
    ).fetchone()
    assert statements is not None
    by_hand = str(statements[0]).replace(model, "{schema}")
    database.remove(model)
    exposed = ", ".join(database.one("select tenancy.exposed_schemas()"))
    whole = (
        "begin; create schema {schema};"
        + by_hand
        + "grant usage on schema {schema} to authenticated, service_role;"
        + _REGISTRY
        + f"alter role authenticator in database {database.name}"
        + f" set pgrst.db_schemas = '{exposed}';"
        + "notify pgrst, 'reload config'; notify pgrst, 'reload schema'; commit;"
    )
    _require_same(database, whole)
    return whole


def _require_same(database: Database, whole: str) -> None:
    name = new_name()
    database.sql.execute(whole.replace("{schema}", name).encode())
    drift = database.sql.execute(
        "select * from public.get_schema_drift(%s)", (name,)
    ).fetchall()
    grants = database.sql.execute(
        "select * from tenancy.grant_differences(%s)", (name,)
    ).fetchall()
    if drift or grants:
        raise RuntimeError(f"The script creates other objects: {drift} {grants}")
    database.sql.execute(f"drop schema {name} cascade".encode())
    database.sql.execute("delete from public.tenants where schema_name = %s", (name,))
