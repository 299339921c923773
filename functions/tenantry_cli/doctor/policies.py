"""Compares the row level security of tenant tables with the reference schema."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from psycopg import sql

from tenantry_cli.doctor.problem import Connection, Priority, Problem, call

_REFERENCE = "tenant_template"
_AUDIT_TRIGGERS = ("audit_delete", "audit_insert", "audit_truncate", "audit_update")

_TABLES = """
select n.nspname::text as schema, c.relname::text as name, c.relrowsecurity as has_rls,
    r.audit_routine,
    exists (
        select from pg_trigger g where g.tgrelid = c.oid and g.tgname = 'audit_insert'
    )
    -- The function remains if somebody drops the triggers.
    or to_regprocedure(format('%I.%I()', n.nspname, r.audit_routine)) is not null as is_audited
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
cross join lateral tenancy.audit_routine_name(c.relname::text) r (audit_routine)
where c.relkind in ('r', 'p')
    and (n.nspname = 'tenant_template'
        or exists (select from public.tenants t where t.schema_name = n.nspname))
"""

_POLICIES = """
select n.nspname::text as schema, c.relname::text as table, p.polname::text as name,
    p.polcmd::text as command, p.polpermissive as is_permissive,
    array(
        select coalesce(r.rolname, 'public')::text
        from unnest(p.polroles) u (oid)
        left join pg_roles r on r.oid = u.oid
        order by 1
    ) as roles,
    pg_get_expr(p.polqual, p.polrelid) as using_test,
    pg_get_expr(p.polwithcheck, p.polrelid) as check_test
from pg_policy p
join pg_class c on c.oid = p.polrelid
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'tenant_template'
    or exists (select from public.tenants t where t.schema_name = n.nspname)
"""

_TRIGGERS = """
select n.nspname::text as schema, c.relname::text as table, g.tgname::text as name,
    g.tgenabled::text as enabled
from pg_trigger g
join pg_class c on c.oid = g.tgrelid
join pg_namespace n on n.oid = c.relnamespace
where not g.tgisinternal
    and (n.nspname = 'tenant_template'
        or exists (select from public.tenants t where t.schema_name = n.nspname))
"""

# A tenant with an older version should have what the reference schema had at that version.
# For each such tenant: the tables that the reference schema has changed since, and whether the
# older version has the table.
_CHANGED_TABLES = """
with versions as (
    select distinct t.schema_version as version
    from public.tenants t
    where t.schema_version <> tenancy.latest_tenant_version()
),
objects as (
    select o.* from tenancy.tenant_template_objects o
    where o.object_kind in ('table', 'policy', 'trigger')
),
tables as (
    select v.version, p.table_name, p.object_kind, p.object_name, p.definition, 1 as had
    from versions v
    join objects p on p.version = v.version
    union all
    select v.version, p.table_name, p.object_kind, p.object_name, p.definition, 0
    from versions v
    join objects p on p.version = tenancy.latest_tenant_version()
),
changed as (
    select c.version, c.table_name, bool_or(c.is_had) as is_had
    from (
        select t.version, t.table_name, count(*) = 1 as is_changed, bool_or(t.had = 1) as is_had
        from tables t
        group by t.version, t.table_name, t.object_kind, t.object_name, t.definition
    ) c
    group by c.version, c.table_name
    having bool_or(c.is_changed)
)
select t.schema_name as schema, c.table_name as name, c.is_had
from public.tenants t
join changed c on c.version = t.schema_version
where to_regnamespace(quote_ident(t.schema_name)) is not null
"""

_DIFFERENCES = """
select o.schema, d.object_kind as kind, d.object_name as name, d.difference,
    d.expected like '%%row level security%%'
        and d.found not like '%%row level security%%' as lacks_rls
from unnest(%(schemas)s::text[]) o (schema)
cross join lateral public.get_schema_drift(o.schema) d
where d.object_kind in ('table', 'policy', 'trigger')
order by 1, 2, 3
"""

_COMMANDS = {"r": "select", "a": "insert", "w": "update", "d": "delete", "*": "all"}

Policy = dict[str, Any]
Table = tuple[str, str]


def examine_policies(connection: Connection) -> Iterator[Problem]:
    tables = list(connection.execute(_TABLES))
    policies: dict[Table, dict[str, Policy]] = defaultdict(dict)
    for row in connection.execute(_POLICIES):
        policies[row["schema"], row["table"]][row["name"]] = row
    changed = _changed(connection)
    for table in tables:
        schema, name = table["schema"], table["name"]
        if changed.get((schema, name)):
            continue
        present = policies[schema, name]
        # A table that a later version adds to the template is not of the template yet.
        is_template = (_REFERENCE, name) in policies and (schema, name) not in changed
        if schema == _REFERENCE or not (is_template or present or table["is_audited"]):
            continue
        wanted = (
            _translated(policies[_REFERENCE, name], schema)
            if is_template
            else _policies_of_own_table(schema)
        )
        repair = _repair(schema, name, present, wanted)
        if not table["has_rls"]:
            yield Problem(
                "RLS off",
                f"{schema}.{name}",
                f"Row level security is off on {schema}.{name}. Members of every tenant may "
                "have access.",
                f"{_enable_rls(schema, name).as_string(connection)};",
                Priority.EXCESS_ACCESS,
                repair,
            )
        for policy in sorted(present.keys() | wanted.keys()):
            if _comparable(present.get(policy)) == _comparable(wanted.get(policy)):
                continue
            what = "is missing"
            if policy in present:
                what = "should not exist" if policy not in wanted else "has another definition"
            yield Problem(
                "wrong policy",
                f"{schema}.{name}",
                f"The policy {policy} on {schema}.{name} {what}.",
                "Run the doctor with --fix, which creates the policies of the table again.",
                Priority.EXCESS_ACCESS,
                repair,
            )


def examine_triggers(connection: Connection) -> Iterator[Problem]:
    triggers: dict[Table, dict[str, str]] = defaultdict(dict)
    for row in connection.execute(_TRIGGERS):
        triggers[row["schema"], row["table"]][row["name"]] = row["enabled"]
    changed = _changed(connection)
    for table in sorted(
        connection.execute(_TABLES), key=lambda row: (row["schema"], row["name"])
    ):
        schema, name = table["schema"], table["name"]
        if schema == _REFERENCE or changed.get((schema, name)):
            continue
        wanted: Collection[str] = _AUDIT_TRIGGERS if table["is_audited"] else ()
        if (_REFERENCE, name) in triggers and (schema, name) not in changed:
            wanted = triggers[_REFERENCE, name]
        for trigger in sorted(wanted):
            enabled = triggers[schema, name].get(trigger)
            if enabled in ("O", "A"):
                continue
            repair: tuple[sql.SQL | sql.Composed, ...] = ()
            if enabled is not None:
                repair = (
                    sql.SQL("alter table {} enable trigger {}").format(
                        sql.Identifier(schema, name), sql.Identifier(trigger)
                    ),
                )
            elif trigger in _AUDIT_TRIGGERS:
                # audit_table creates all four triggers, for a table that has none of them.
                repair = (
                    sql.SQL("drop function if exists {}() cascade").format(
                        sql.Identifier(schema, table["audit_routine"])
                    ),
                    call("audit_table", schema, name),
                )
            yield Problem(
                "trigger missing",
                f"{schema}.{name}",
                f"The trigger {trigger} on {schema}.{name} is "
                f"{'disabled' if enabled else 'missing'}. The audit log may lack changes, or "
                "somebody can change the audit log.",
                " ".join(f"{each.as_string(connection)};" for each in repair)
                or "Create the trigger as the reference schema tenant_template has it.",
                Priority.INCOMPLETE,
                repair,
            )


def examine_changed_tables(connection: Connection) -> Iterator[Problem]:
    """Examines tenants with an older version.

    Only their migration may change them to the present version. The migration would fail on
    objects that are changed already.
    """
    had = {table for table, is_had in _changed(connection).items() if is_had}
    schemas = {"schemas": sorted({schema for schema, _ in had})}
    for row in connection.execute(_DIFFERENCES, schemas):
        schema, name = row["schema"], row["name"].split(".", 1)[0]
        if (schema, name) not in had:
            continue
        table = sql.Identifier(schema, name)
        repair: tuple[sql.Composed, ...] = ()
        if row["lacks_rls"]:
            repair = (_enable_rls(schema, name),)
        elif row["kind"] == "policy" and row["difference"] == "extra":
            policy = sql.Identifier(row["name"].split(".", 1)[1])
            repair = (sql.SQL("drop policy {} on {}").format(policy, table),)
        yield Problem(
            "wrong before its migration",
            f"{schema}.{name}",
            f"The {row['kind']} {row['name']} of tenant {schema} is {row['difference']}, "
            "compared with the tenant's version of the template.",
            f"{repair[0].as_string(connection)};"
            if repair
            else f"Correct the differences that tenantry drift --tenant {schema} reports. Then "
            "run tenantry migrate.",
            Priority.EXCESS_ACCESS,
            (*repair, call("apply_tenant_privileges", schema)) if repair else (),
        )


def _changed(connection: Connection) -> dict[Table, bool]:
    """The tables that the reference schema has changed since the version of the tenant, and
    whether that version has the table."""
    return {
        (row["schema"], row["name"]): row["is_had"]
        for row in connection.execute(_CHANGED_TABLES)
    }


def _translated(policies: dict[str, Policy], schema: str) -> dict[str, Policy]:
    def with_schema(test: str | None) -> str | None:
        return test and test.replace(f"'{_REFERENCE}'", f"'{schema}'")

    return {
        name: policy
        | {
            "using_test": with_schema(policy["using_test"]),
            "check_test": with_schema(policy["check_test"]),
        }
        for name, policy in policies.items()
    }


def _policies_of_own_table(schema: str) -> dict[str, Policy]:
    """The policies that `create_table` creates: members read, writers write."""

    def policy(command: str, using: str | None, check: str | None) -> Policy:
        def test(level: str | None) -> str | None:
            # As PostgreSQL prints what tenancy.policy_test returns.
            # As PostgreSQL prints it. No name of a schema holds a quote.
            return level and (
                "(EXISTS ( SELECT\n   FROM tenancy.open_tenants o\n"  # nosec B608
                f"  WHERE ((o.schema_name = '{schema}'::text) AND "
                f"(o.access_level >= '{level}'::access_level))))"
            )

        return {
            "command": command,
            "is_permissive": True,
            "roles": ["authenticated"],
            "using_test": test(using),
            "check_test": test(check),
        }

    return {
        "select_member": policy("r", "read", None),
        "insert_writer": policy("a", None, "write"),
        "update_writer": policy("w", "write", "write"),
        "delete_writer": policy("d", "write", None),
    }


def _comparable(policy: Policy | None) -> tuple[Any, ...] | None:
    if policy is None:
        return None
    names = ("command", "is_permissive", "roles", "using_test", "check_test")
    # PostgreSQL prints the schema of the type only if the search path requires it.
    return tuple(
        value.replace("public.access_level", "access_level")
        if isinstance(value, str)
        else value
        for value in (policy[name] for name in names)
    )


def _enable_rls(schema: str, name: str) -> sql.Composed:
    return sql.SQL("alter table {} enable row level security").format(
        sql.Identifier(schema, name)
    )


def _repair(
    schema: str, name: str, present: dict[str, Policy], wanted: dict[str, Policy]
) -> tuple[sql.SQL | sql.Composed, ...]:
    table = sql.Identifier(schema, name)
    statements: list[sql.SQL | sql.Composed] = [_enable_rls(schema, name)]
    statements += [
        sql.SQL("drop policy {} on {}").format(sql.Identifier(policy), table)
        for policy in present
    ]
    for policy, row in wanted.items():
        clauses: list[sql.Composable] = [
            sql.SQL("create policy {} on {} for {} to {}").format(
                sql.Identifier(policy),
                table,
                sql.SQL(_COMMANDS[row["command"]]),
                sql.SQL(", ").join(map(sql.Identifier, row["roles"])),
            )
        ]
        # The texts come from PostgreSQL or from _policies_of_own_table.
        for word, test in (("using", row["using_test"]), ("with check", row["check_test"])):
            if test is not None:
                text = test.replace("'::access_level", "'::public.access_level")
                clauses.append(sql.SQL(f"{word} ({text})"))
        statements.append(sql.SQL(" ").join(clauses))
    return (*statements, call("apply_tenant_privileges", schema))
