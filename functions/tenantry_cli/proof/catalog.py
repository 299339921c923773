"""What the proof examines in the catalog beyond `tenantry doctor`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from psycopg import sql

from tenantry.catalogue import catalogue
from tenantry_cli.doctor.problem import Connection
from tenantry_cli.proof.evidence import Finding, Verdict

# A function without a search path of its own resolves names as its caller decides.
_SEARCH_PATHS = """
select p.oid::regprocedure::text as name
from pg_proc p
where p.prosecdef
    and not coalesce(p.proconfig @> array['search_path=""'], false)
    and (
        p.pronamespace = 'tenancy'::regnamespace
        or p.oid = any (
            select to_regprocedure(o.signature)
            from unnest(%(operations)s::text[]) o (signature)
        )
        or (
            p.proname like 'tg\\_%%\\_\\_audit'
            and p.pronamespace::regnamespace::text = any (
                select quote_ident(t.schema_name) from public.tenants t
            )
        )
    )
order by 1
"""

# API roles must neither bypass the policies nor inherit the privileges of another role.
_ROLES = """
select r.rolname::text as name, 'bypasses row level security' as what
from pg_roles r
where r.rolname in ('anon', 'authenticated') and (r.rolsuper or r.rolbypassrls)
union all
select m.member::regrole::text, 'is a member of ' || m.roleid::regrole
from pg_auth_members m
where m.member in ('anon'::regrole, 'authenticated'::regrole)
order by 1, 2
"""

# Whether a trigger refuses each kind of change. 4 = insert, 8 = delete, 16 = update,
# 32 = truncate.
_APPEND_ONLY = """
select l.log::text as name, c.what
from (
    select 'public.admin_audit_log'::regclass as log
    union all
    select to_regclass(format('%I.audit_log', t.schema_name)) from public.tenants t
) l
cross join (values (8, 'delete'), (16, 'update'), (32, 'truncate')) c (bit, what)
where l.log is not null and not exists (
    select from pg_trigger g
    where g.tgrelid = l.log
        and g.tgfoid = 'tenancy.tg_audit_log__refuse'::regproc
        and g.tgenabled in ('O', 'A')
        and g.tgtype::integer & c.bit <> 0
        and g.tgqual is null
)
order by 1, 2
"""

# A view that API roles read must not let their conditions run before its own.
_BARRIERS = """
select c.oid::regclass::text as name
from pg_class c
where c.oid = 'tenancy.open_tenants'::regclass
    and not coalesce(c.reloptions @> array['security_barrier=true'], false)
"""


def inspect_catalog(connection: Connection) -> Iterator[Finding]:
    operations = [entry.signature for entry in catalogue().values()]
    for row in connection.execute(_SEARCH_PATHS, {"operations": operations}):
        yield _finding(
            row["name"],
            "this SECURITY DEFINER function does not fix its search_path",
            f"alter function {row['name']} set search_path = '';",
        )
    for row in connection.execute(_ROLES):
        yield _finding(row["name"], f"the role {row['name']} {row['what']}")
    for row in connection.execute(_APPEND_ONLY):
        yield _finding(row["name"], f"no trigger refuses {row['what']} on this audit log")
    for row in connection.execute(_BARRIERS):
        yield _finding(
            row["name"],
            "the view has no security_barrier",
            f"alter view {row['name']} set (security_barrier = true);",
        )
    yield from _inspect_hashes(connection)


def _inspect_hashes(connection: Connection) -> Iterator[Finding]:
    """Whether the hash of an entry depends on each of its columns."""
    for schema, log in (
        ("public", "public.admin_audit_log"),
        ("tenant_template", "tenant_template.audit_log"),
    ):
        values = {
            row["name"]: (row["value"], row["other"])
            for row in connection.execute(_COLUMNS, {"log": log})
        }
        found = connection.execute("select tenancy.audit_entry_hash(%s) as text", (schema,))
        text = (found.fetchone() or {})["text"]
        plain = {name: value for name, (value, _) in values.items()}
        hashes = {
            name: _hash(connection, log, text, plain | {name: other})
            for name, (_, other) in values.items()
        }
        first = _hash(connection, log, text, plain)
        for name in sorted(name for name, value in hashes.items() if value == first):
            yield _finding(log, f"the seal of an entry does not cover its column {name}")


# Two values for each column of an audit log.
_COLUMNS = """
select a.attname::text as name, v.value, v.other
from pg_attribute a
join (
    values
        ('bigint'::regtype, '1', '2'),
        ('timestamptz', '2020-01-01T00:00:00Z', '2020-01-02T00:00:00Z'),
        ('uuid', repeat('1', 32), repeat('2', 32)),
        ('text', 'a', 'b'),
        ('jsonb', '1', '2')
) v (type, value, other) on v.type = a.atttypid
where a.attrelid = %(log)s::regclass and a.attnum > 0 and not a.attisdropped
"""


def _hash(connection: Connection, log: str, text: str, row: dict[str, str]) -> Any:
    # The text comes from the database.
    statement = sql.SQL(
        "select {hash} as hash from jsonb_populate_record(null::{log}, {row}) e"
    ).format(
        hash=sql.SQL(text),
        log=sql.Identifier(*log.split(".")),
        row=sql.Literal(json.dumps(row)),
    )
    return (connection.execute(statement).fetchone() or {})["hash"]


def _finding(name: str, why: str, remediation: str = "") -> Finding:
    return Finding(Verdict.CATALOG, why, name, remediation=remediation)
