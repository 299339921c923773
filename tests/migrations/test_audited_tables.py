"""Every table of a tenant migration is audited and reachable, unless the migration says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg
import pytest
from psycopg.sql import SQL, Identifier, Placeholder
from psycopg.types.json import Jsonb

from support.fleet import Fleet, ServedFleet

OPEN = "create policy p on {0} for select to authenticated using (id is not null);"
SECURED = "alter table {0} enable row level security;"
PLAIN = "create table {0} (id int primary key, v text);"
TABLES = {
    "plain": PLAIN,
    "row level security without policy": PLAIN + SECURED,
    "forced row level security": PLAIN + SECURED + "alter table {0} force row level security;",
    "own policy": PLAIN + SECURED + OPEN,
    "policy to public": PLAIN + SECURED + "create policy p on {0} using (id is not null);",
    "policy without row level security": PLAIN + OPEN,
    "no key": "create table {0} (id int, v text);" + SECURED,
    "only a foreign key": "create table {0} (id text references settings, v text);" + SECURED,
    "like another": "create table {0} (like settings including all);" + SECURED,
    "from a query": "create table {0} as select 1 as id, 'x' as v where false;" + SECURED,
    "renamed": PLAIN.replace("{0}", "{0}_1") + "alter table {0}_1 enable row level security;"
    "alter table {0}_1 rename to {0};",
    "partitioned": "create table {0} (id int primary key, v text) partition by range (id);"
    "create table {0}_all partition of {0} default;" + SECURED,
    "partition": "create table {0}_all (id int primary key, v text) partition by range (id);"
    "create table {0} partition of {0}_all default;" + SECURED,
    "child of another": "create table {0}_all (id int primary key, v text);"
    "create table {0} () inherits ({0}_all);" + SECURED,
}


def entries(fleet: Fleet, tenant: str, table: str) -> list[str]:
    rows = fleet.sql.execute(
        SQL("select action from {}.audit_log where table_name = %s order by id").format(
            Identifier(tenant)
        ),
        (table,),
    )
    return [row["action"] for row in rows]


def write(fleet: Fleet, tenant: str, table: str) -> None:
    """Inserts, updates, deletes and truncates, once each."""
    row = {"id": 1, "v": "x", "key": "k", "value": 1}
    columns = {
        column["name"]: column["type"]
        for column in fleet.sql.execute(
            "select attname as name, atttypid::regtype::text as type from pg_attribute"
            " where attrelid = %s::regclass and attnum > 0",
            (f"{tenant}.{table}",),
        )
    }
    # The only text id is a reference to a setting that does not exist.
    given = {
        name: Jsonb(value) if name == "value" else value
        for name, value in row.items()
        if name in columns and (name != "id" or columns[name] == "integer")
    }
    last = next(reversed(given))
    relation = Identifier(tenant, table)
    fleet.sql.execute(
        SQL("insert into {} ({}) values ({})").format(
            relation,
            SQL(", ").join(map(Identifier, given)),
            SQL(", ").join([Placeholder()] * len(given)),
        ),
        [*given.values()],
    )
    fleet.sql.execute(
        SQL("update {} set {} = {} where true").format(
            relation, Identifier(last), Jsonb(2) if last == "value" else "y"
        )
    )
    fleet.sql.execute(SQL("delete from {} where true").format(relation))
    fleet.sql.execute(SQL("truncate {}").format(relation))


@contextmanager
def warnings(fleet: Fleet) -> Iterator[list[str]]:
    heard: list[str] = []

    def hear(notice: psycopg.errors.Diagnostic) -> None:
        assert notice.severity == "WARNING"
        heard.append(notice.message_primary or "")

    fleet.sql.add_notice_handler(hear)
    try:
        yield heard
    finally:
        fleet.sql.remove_notice_handler(hear)


def unreachable(fleet: Fleet) -> list[str]:
    names: list[str] = fleet.status()["unreachable_tables"]
    return names


def written(statements: Mapping[str, str], tables: Mapping[str, str]) -> str:
    """One migration with the statements of every kind, each for a table of its own."""
    return "".join(statements[kind].replace("{0}", table) for kind, table in tables.items())


def test_new_table_is_audited(fleet: Fleet) -> None:
    behind, tables = fleet.tenant(), {kind: fleet.table() for kind in TABLES}
    fleet.register(written(TABLES, tables))
    migrated = fleet.migrate(behind)
    assert migrated["outcome"] == "migrated", migrated

    for tenant in (behind, fleet.tenant()):
        for kind, table in tables.items():
            write(fleet, tenant, table)
            # Without a key an update is a deletion and an insertion.
            without_key = "key" in kind or "query" in kind or kind == "child of another"
            update = ["delete", "insert"] if without_key else ["update"]
            expected = ["insert", *update, "delete", "truncate"]
            assert entries(fleet, tenant, table) == expected, kind
        assert fleet.drift(tenant) == []


def test_privileges_follow_own_policies(fleet: Fleet) -> None:
    table = fleet.table()
    fleet.register((PLAIN + SECURED + OPEN).replace("{0}", table))
    tenant = fleet.tenant()

    granted = {
        (role, verb)
        for role in ("anon", "authenticated", "service_role")
        for verb in ("select", "insert")
        for row in fleet.sql.execute(
            "select has_table_privilege(%s, %s, %s) as granted",
            (role, f"{tenant}.{table}", verb),
        )
        if row["granted"]
    }
    assert granted == {("authenticated", "select"), ("service_role", "select")}


def test_table_without_columns_is_audited(fleet: Fleet) -> None:
    tenant, table = fleet.tenant(), fleet.table()
    fleet.register(f"create table {table} ()")
    fleet.register(f"insert into {table} default values; alter table {table} add v text;")
    for _ in range(2):
        assert fleet.migrate(tenant)["outcome"] == "migrated"

    relation = Identifier(tenant, table)
    fleet.sql.execute(SQL("update {} set v = 'y' where true").format(relation))
    assert entries(fleet, tenant, table) == ["insert", "delete", "insert"]
    assert fleet.drift(tenant) == []


UNAUDITED = {
    "leave_unaudited": PLAIN + "select tenancy.leave_unaudited(current_schema(), '{0}');",
    "with own policy": PLAIN
    + SECURED
    + OPEN
    + "select tenancy.leave_unaudited(current_schema(), '{0}');",
    "enable_tenant_table": PLAIN
    + "select tenancy.enable_tenant_table(current_schema(), '{0}', audited => false);",
    "renamed afterwards": PLAIN.replace("{0}", "{0}_1")
    + "select tenancy.leave_unaudited(current_schema(), '{0}_1');"
    "alter table {0}_1 rename to {0};",
}


def test_migration_leaves_a_table_unaudited_if_it_says_so(fleet: Fleet) -> None:
    behind, audited = fleet.tenant(), fleet.table()
    tables = {kind: fleet.table() for kind in UNAUDITED}
    fleet.register(written(UNAUDITED, tables) + PLAIN.replace("{0}", audited))
    fleet.migrate(behind)
    # The decision holds for these tables of this migration only.
    fleet.register("".join(f"comment on table {table} is 'x';" for table in tables.values()))

    for tenant in (behind, fleet.tenant()):
        write(fleet, tenant, audited)
        assert entries(fleet, tenant, audited) == ["insert", "update", "delete", "truncate"]
        for kind, table in tables.items():
            write(fleet, tenant, table)
            assert entries(fleet, tenant, table) == [], kind
    assert not {*tables.values()} & {*unreachable(fleet)}


ENDING = (
    "drop trigger audit_update on {0}",
    "drop trigger audit_insert on {0}; alter table {0} rename to {0}_new",
    "alter table {0} disable trigger audit_delete",
    "alter table {0} disable trigger all",
    "alter table {0} enable replica trigger audit_truncate",
    "create table {0}_old (id int primary key);"
    "select tenancy.leave_unaudited(current_schema(), '{0}_old');"
    "drop trigger audit_insert on {0}",
)


def test_migration_that_ends_an_audit_silently_is_refused(fleet: Fleet) -> None:
    table = fleet.table()
    fleet.register(PLAIN.replace("{0}", table))
    latest = fleet.latest()

    for statement in ENDING:
        with pytest.raises(psycopg.Error, match="would end the audit of") as refused:
            fleet.register(statement.replace("{0}", table))

        # The Supabase CLI prints only the message.
        message = refused.value.diag.message_primary or ""
        assert table in message, statement
        assert "tenancy.leave_unaudited" in message, statement
        assert fleet.latest() == latest


def test_migration_ends_an_audit_if_it_says_so_and_begins_it_again(fleet: Fleet) -> None:
    tenant, table = fleet.tenant(), fleet.table()
    for statements, count in (
        (PLAIN, 4),
        ("alter table {0} disable trigger all; alter table {0} enable trigger all;", 4),
        ("select tenancy.leave_unaudited(current_schema(), '{0}')", 0),
        ("select tenancy.audit_table(current_schema(), '{0}')", 4),
    ):
        fleet.register(statements.replace("{0}", table))
        before = len(entries(fleet, tenant, table))
        assert fleet.migrate(tenant)["outcome"] == "migrated"
        write(fleet, tenant, table)
        assert len(entries(fleet, tenant, table)) - before == count
        assert fleet.drift(tenant) == []
        assert fleet.drift(fleet.tenant()) == []


def test_trigger_of_the_project_is_not_taken_for_ours(fleet: Fleet) -> None:
    table = fleet.table()
    latest = fleet.latest()
    with pytest.raises(psycopg.errors.DuplicateObject, match="audit_insert"):
        fleet.register(
            f"{PLAIN.replace('{0}', table)} create function mine_{table}() returns trigger"
            " language plpgsql as 'begin return null; end';"
            f" create trigger audit_insert after insert on {table}"
            f" for each row execute function mine_{table}();"
        )
    assert fleet.latest() == latest


UNREACHABLE = {
    "row level security without policy": (PLAIN + SECURED, "it has no policy"),
    "policy to public": (
        PLAIN + SECURED + "create policy p on {0} using (id is not null);",
        "none of its policies is to authenticated",
    ),
    "policy to service_role": (
        PLAIN + SECURED + "create policy p on {0} to service_role using (id is not null);",
        "none of its policies is to authenticated",
    ),
    "policy without row level security": (PLAIN + OPEN, "row level security is not enabled"),
    "only restrictive": (
        PLAIN
        + SECURED
        + "create policy p on {0} as restrictive to authenticated using (id is not null);",
        "all restrictive",
    ),
}


def test_unreachable_table_is_a_warning_and_in_the_status(served: ServedFleet) -> None:
    tables, reachable = {kind: served.table() for kind in UNREACHABLE}, served.table()
    statements = {kind: made for kind, (made, _) in UNREACHABLE.items()}
    with warnings(served) as heard:
        version = served.register(written(statements, tables) + PLAIN.replace("{0}", reachable))
    assert len(heard) == len(tables)
    for kind, table in tables.items():
        [warning] = [text for text in heard if f'"{table}"' in text]
        assert version in warning
        assert UNREACHABLE[kind][1] in warning, kind
    assert sorted(unreachable(served)) == sorted(tables.values())
    shown = served.command("migrate", "--dry-run", "--json")
    for table in tables.values():
        assert f'no signed-in user can reach table "{table}"' in shown.stderr
    assert reachable not in shown.stderr

    # The warning is about what a migration does.
    with warnings(served) as heard:
        served.register("".join(f"comment on table {t} is 'x';" for t in tables.values()))
    assert heard == []

    opened = SECURED + OPEN.replace("policy p", "policy q")
    served.register(written(dict.fromkeys(tables, opened), tables))
    assert unreachable(served) == []


def test_migration_that_closes_a_table_is_warned_of(fleet: Fleet) -> None:
    table = fleet.table()
    fleet.register(PLAIN.replace("{0}", table))
    with warnings(fleet) as heard:
        fleet.register(f"alter table {table} disable row level security")
    assert len(heard) == 1
    assert table in heard[0]
    assert unreachable(fleet) == [table]
    fleet.register(f"drop table {table}")
    assert unreachable(fleet) == []


def test_hidden_partition_of_a_reachable_table_is_no_warning(fleet: Fleet) -> None:
    table = fleet.table()
    with warnings(fleet) as heard:
        fleet.register(
            f"create table {table} (id int primary key) partition by range (id);"
            f" create table {table}_all partition of {table} default;"
            f" alter table {table}_all enable row level security;"
        )
    assert heard == []
    assert unreachable(fleet) == []


def test_child_table_must_not_have_columns_that_the_audit_misses(fleet: Fleet) -> None:
    def family(columns: str) -> tuple[str, str]:
        table = fleet.table()
        child = f"create table {table}_child ({columns}) inherits ({table});"
        return f"{table}_child", PLAIN.replace("{0}", table) + child

    child, statements = family("more text")
    latest = fleet.latest()
    with pytest.raises(psycopg.Error, match=f'table "{child}" inherits'):
        fleet.register(statements)
    assert fleet.latest() == latest

    (empty, one), (equal, other) = family(""), family("v text")
    fleet.register(one + other)
    assert {("table", empty), ("table", equal)} <= {
        found[:2] for found in fleet.objects("tenant_template")
    }
