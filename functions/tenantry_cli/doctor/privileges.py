"""Compares the actual grants with the grants that the design requires."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from psycopg import sql

from tenantry_cli.doctor.problem import Connection, Priority, Problem, call

_API = ("anon", "authenticated", "service_role")
_MEMBERS = ("authenticated", "service_role")

# Every privilege of PUBLIC and of the API roles in these schemas. PUBLIC may execute a routine
# without an ACL.
_ACTUAL = """
with schemas as (
    select n.* from pg_namespace n where n.nspname::text = any (%(schemas)s)
),
objects as (
    select n.nspname, 'schema' as kind, n.nspname::text as name, n.nspacl as acl
    from schemas n
    union all
    select n.nspname, case when c.relkind = 'S' then 'sequence' else 'table' end,
        c.relname, c.relacl
    from pg_class c
    join schemas n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    union all
    select n.nspname, 'column', c.relname || '.' || a.attname, a.attacl
    from pg_attribute a
    join pg_class c on c.oid = a.attrelid
    join schemas n on n.oid = c.relnamespace
    where a.attacl is not null
    union all
    select n.nspname, 'routine',
        p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
        coalesce(p.proacl, acldefault('f', p.proowner))
    from pg_proc p
    join schemas n on n.oid = p.pronamespace
    -- The grants on objects of an extension belong to the extension.
    where not exists (
        select from pg_depend d
        where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
    )
)
select o.nspname::text as schema, o.kind, o.name,
    coalesce(r.rolname, 'PUBLIC')::text as grantee,
    lower(a.privilege_type) as privilege
from objects o
cross join aclexplode(o.acl) a
left join pg_roles r on r.oid = a.grantee
where a.grantee = 0 or r.rolname in ('anon', 'authenticated', 'service_role')
"""

# The objects of a tenant schema, with the properties that decide about grants.
_CONTENTS = """
select n.nspname::text as schema, c.relname::text as name, c.relkind::text as kind,
    c.relrowsecurity as has_rls,
    coalesce(tenancy.is_security_invoker(c.reloptions), false) as is_invoker,
    exists (
        select from pg_depend o
        where o.classid = 'pg_class'::regclass and o.objid = c.oid
            and o.refclassid = 'pg_class'::regclass and o.deptype = 'a'
    ) as is_owned,
    array(
        select distinct v.verb
        from pg_policy p
        join (
            values ('r', 'select'), ('a', 'insert'), ('w', 'update'), ('d', 'delete')
        ) v (command, verb)
            on p.polcmd::text in (v.command, '*')
        where p.polrelid = c.oid and 'authenticated'::regrole = any (p.polroles)
    ) as verbs
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where n.nspname::text = any (%(schemas)s) and c.relkind in ('r', 'p', 'v', 'S')
"""

_DEFINERS = """
select n.nspname::text as schema,
    p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' as name
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
where n.nspname::text = any (%(schemas)s) and p.prosecdef
"""

_REGISTRY = ("tenants", "admin_users", "user_schema_access", "admin_audit_log")
# The helpers that a request runs with the caller's role.
_HELPERS = {
    "guard_request()": _API,
    "require_access(schema_name text, level access_level)": _API,
    "caller()": ("authenticated",),
    "is_platform_staff()": ("authenticated",),
    "member_tenants()": ("authenticated",),
    "administered_tenants()": ("authenticated",),
    "administered_tenant_ids()": ("authenticated",),
}

# (schema, kind, name, grantee, privilege)
Grant = tuple[str, str, str, str, str]


def examine_tenant_privileges(connection: Connection) -> Iterator[Problem]:
    tenants = {
        row["schema_name"]: row["status"]
        for row in connection.execute(
            "select t.schema_name, t.status from public.tenants t "
            "where to_regnamespace(t.schema_name) is not null"
        )
    }
    named = {"schemas": [*tenants, "tenant_template"]}
    definers = {(row["schema"], row["name"]) for row in connection.execute(_DEFINERS, named)}
    actual = _grants(connection, named)
    # The project may grant its own routines, because they run with the rights of the caller.
    declared = {
        grant
        for grant in actual
        if grant[1] == "routine"
        and grant[3] in _MEMBERS
        and (grant[0], grant[2]) not in definers
        and tenants.get(grant[0]) == "active"
    }
    expected = _expected(connection, named, tenants)
    wrong: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for schema, kind, name, grantee, privilege in sorted(actual - expected - declared):
        wrong[schema, kind, name].append(f"{grantee} has {privilege} but should not have it")
    for schema, kind, name, grantee, privilege in sorted(expected - actual):
        wrong[schema, kind, name].append(f"{grantee} should have {privilege} but has not")
    for (schema, kind, name), details in wrong.items():
        state = tenants.get(schema, "never exposed")
        yield Problem(
            "wrong grants",
            schema if kind == "schema" else f"{schema}.{name}",
            f"The grants on the {_title(schema, kind, name)} do not fit its tenant ({state}): "
            f"{'; '.join(details)}.",
            f"Apply the grants again: select tenancy.apply_tenant_privileges('{schema}');",
            Priority.EXCESS_ACCESS,
            (call("apply_tenant_privileges", schema),),
        )


def examine_system_privileges(connection: Connection) -> Iterator[Problem]:
    """Examines the schema `tenancy`, and the objects of Tenantry in `public`."""
    actual = _grants(connection, {"schemas": ["tenancy", "public"]})
    definers = {row["name"] for row in connection.execute(_DEFINERS, {"schemas": ["public"]})}
    expected: set[Grant] = {("tenancy", "schema", "tenancy", role, "usage") for role in _API}
    for helper, roles in _HELPERS.items():
        expected |= {("tenancy", "routine", helper, role, "execute") for role in roles}
    expected.add(("tenancy", "table", "open_tenants", "authenticated", "select"))
    for table in _REGISTRY:
        expected |= {("public", "table", table, role, "select") for role in _MEMBERS}
    for schema, kind, name, grantee, privilege in sorted(actual - expected):
        is_ours = schema == "tenancy" or (
            (kind in ("table", "column") and name.split(".")[0] in _REGISTRY)
            or (kind == "sequence" and name == "admin_audit_log_id_seq")
            or (kind == "routine" and name in definers and grantee not in _MEMBERS)
        )
        if is_ours:
            yield _excess_grant(connection, schema, kind, name, grantee, privilege)
    for schema, kind, name, grantee, privilege in sorted(expected - actual):
        grant = _statement("grant", schema, kind, name, grantee, privilege)
        yield Problem(
            "missing grant",
            f"{schema}.{name}",
            f"{grantee} should have {privilege} on the {_title(schema, kind, name)} but does "
            "not have it.",
            f"{grant.as_string(connection)};",
            Priority.INCOMPLETE,
            (grant,),
        )


def _excess_grant(
    connection: Connection, schema: str, kind: str, name: str, grantee: str, privilege: str
) -> Problem:
    revoke = _statement("revoke", schema, kind, name, grantee, privilege)
    return Problem(
        "too wide",
        f"{schema}.{name}",
        f"{grantee} has {privilege} on the {_title(schema, kind, name)} but should not "
        "have it.",
        f"{revoke.as_string(connection)};",
        Priority.EXCESS_ACCESS,
        (revoke,),
    )


def _title(schema: str, kind: str, name: str) -> str:
    return f"schema {schema}" if kind == "schema" else f"{kind} {schema}.{name}"


def _statement(
    verb: str, schema: str, kind: str, name: str, grantee: str, privilege: str
) -> sql.Composed:
    relation, _, column = name.partition(".")
    target: sql.Composable
    if kind == "schema":
        target = sql.SQL("schema {}").format(sql.Identifier(schema))
    elif kind == "routine":
        function, _, arguments = name.partition("(")
        target = sql.SQL("function {}({}").format(
            sql.Identifier(schema, function), sql.SQL(arguments)
        )
    elif kind == "sequence":
        target = sql.SQL("sequence {}").format(sql.Identifier(schema, name))
    else:
        target = sql.SQL("table {}").format(sql.Identifier(schema, relation))
    columns = sql.SQL("")
    if kind == "column":
        columns = sql.SQL(" ({})").format(sql.Identifier(column))  # type: ignore[assignment]
    return sql.SQL("{verb} {privilege}{columns} on {target} {direction} {grantee}").format(
        verb=sql.SQL(verb),
        privilege=sql.SQL(privilege),
        columns=columns,
        target=target,
        direction=sql.SQL("from" if verb == "revoke" else "to"),
        grantee=sql.SQL("public") if grantee == "PUBLIC" else sql.Identifier(grantee),
    )


def _grants(connection: Connection, named: dict[str, list[str]]) -> set[Grant]:
    return {
        (row["schema"], row["kind"], row["name"], row["grantee"], row["privilege"])
        for row in connection.execute(_ACTUAL, named)
    }


def _expected(
    connection: Connection, named: dict[str, list[str]], tenants: dict[str, str]
) -> set[Grant]:
    active = {name for name, status in tenants.items() if status == "active"}
    expected: set[Grant] = {
        (name, "schema", name, role, "usage") for name in active for role in _MEMBERS
    }
    for row in connection.execute(_CONTENTS, named):
        if row["schema"] not in active:
            continue
        kind, verbs = "table", row["verbs"] if row["has_rls"] else []
        if row["kind"] == "v":
            verbs = ["select"] if row["is_invoker"] else []
        elif row["kind"] == "S":
            kind, verbs = "sequence", ["usage", "select"] if row["is_owned"] else []
        expected |= {
            (row["schema"], kind, row["name"], role, verb)
            for role in _MEMBERS
            for verb in verbs
        }
    return expected
