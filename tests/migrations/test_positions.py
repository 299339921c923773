"""Tenant migrations apply in the order in which the database registered them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from support.fleet import Fleet, ServedFleet


class Migration(NamedTuple):
    function: str
    version: str
    statements: str
    callable_routines: list[str]


OWN = Migration(
    "register_tenant_migration",
    "20270120090000",
    """
    create table orders (id bigint primary key, buyer uuid references users (id));
    alter table users add column phone text;
    create function order_count() returns bigint language sql stable
        as 'select count(*) from orders';
    """,
    ["order_count"],
)
# A migration as an upgrade of Tenantry adds it.
OURS = Migration(
    "add_tenant_migration",
    "tenantry_0002",
    """
    create table labels (name text primary key, colour text);
    alter table users add column label text references labels (name);
    alter table settings drop constraint settings_key_length;
    create function label_count() returns bigint language sql stable
        as 'select count(*) from labels';
    select tenancy.enable_tenant_table(current_schema(), 'labels', writes => 'admin');
    """,
    ["label_count"],
)
GRANTS = """
    select o.kind, o.name, array(select e::text from unnest(o.acl) e order by 1)::text
    from (
        select 'schema' as kind, 'itself' as name, n.nspacl as acl
        from pg_namespace n where n.nspname = %(schema)s
        union all
        select c.relkind::text, c.relname, c.relacl
        from pg_class c where c.relnamespace = to_regnamespace(%(schema)s)
        union all
        select 'routine', p.oid::regprocedure::text, p.proacl
        from pg_proc p where p.pronamespace = to_regnamespace(%(schema)s)
    ) o
"""


@pytest.fixture
def database(fleet: Fleet) -> Iterator[psycopg.Connection]:
    """A session in the database of the fleet."""
    with psycopg.connect(fleet.address.db_url, autocommit=True) as session:
        yield session


def register(database: psycopg.Connection, migration: Migration) -> None:
    database.execute(
        f"select tenancy.{migration.function}(%s, 'test', %s, %s)".encode(),
        (migration.version, migration.statements, migration.callable_routines),
    )


def create(database: psycopg.Connection, tenant: str) -> None:
    database.execute("select public.create_tenant_schema(%s)", (tenant,))


def migrate(database: psycopg.Connection, tenant: str) -> list[str]:
    """Migrates the tenant to the latest version, and returns the versions that it received."""
    received: list[str] = []
    while True:
        row = database.execute(
            "select m.outcome::text, m.version, m.message from public.migrate_tenant(%s) m",
            (tenant,),
        ).fetchone()
        assert row is not None
        outcome, version, message = row
        if outcome == "up_to_date":
            return received
        assert outcome == "migrated", message
        received.append(version)


def described(database: psycopg.Connection, schema: str) -> set[tuple[str, ...]]:
    """The objects and the grants of a tenant, without its name."""
    objects = database.execute(
        "select o.object_kind, o.object_name, o.definition from tenancy.schema_objects(%s) o",
        (schema,),
    ).fetchall()
    grants = database.execute(GRANTS, {"schema": schema}).fetchall()
    assert any("authenticated=" in str(privileges) for *_, privileges in grants)
    return {
        tuple(str(value).replace(schema, "<tenant>") for value in row)
        for row in [*objects, *grants]
    }


def test_own_migrations_before_and_after_ours_leave_equal_tenants(
    fleet: Fleet, database: psycopg.Connection
) -> None:
    everywhere = set()
    for order in ([OWN, OURS], [OURS, OWN]):
        early, between, late = (fleet.name() for _ in range(3))
        create(database, early)
        register(database, order[0])
        create(database, between)
        register(database, order[1])
        create(database, late)

        versions = [migration.version for migration in order]
        assert migrate(database, early) == versions
        assert migrate(database, between) == versions[1:]
        assert migrate(database, late) == []

        for tenant in (early, between, late):
            everywhere.add(frozenset(described(database, tenant)))
            assert fleet.drift(tenant) == []
        fleet.close_tenants()

    assert len(everywhere) == 1
    names = {name for _, name, _ in everywhere.pop()}
    assert {"orders", "labels", "users.phone", "users.label"} <= names


def test_comparison_finds_a_difference(fleet: Fleet, database: psycopg.Connection) -> None:
    one, other = fleet.tenant(), fleet.tenant()
    assert described(database, one) == described(database, other)

    fleet.sql.execute(
        SQL("grant insert on {} to authenticated").format(Identifier(other, "users"))
    )

    assert described(database, one) != described(database, other)


def test_routine_is_callable_from_the_migration_that_declares_it_on(
    fleet: Fleet, database: psycopg.Connection
) -> None:
    """The position decides: the later migration has a version that sorts first."""
    shared = "create function answer() returns integer language sql as 'select 42'"
    register(database, Migration("register_tenant_migration", "9_closed", shared, []))
    tenant = fleet.tenant()
    register(
        database,
        Migration(
            "register_tenant_migration",
            "1_open",
            "create or replace function answer() returns integer language sql as 'select 43'",
            ["answer"],
        ),
    )

    def is_open() -> Any:
        database.execute("select tenancy.apply_tenant_privileges(%s)", (tenant,))
        return database.execute(
            "select has_function_privilege('authenticated', %s, 'execute')",
            (f"{tenant}.answer()",),
        ).fetchone()

    assert is_open() == (False,)
    assert migrate(database, tenant) == ["1_open"]
    assert is_open() == (True,)


def test_positions_have_no_gap_and_follow_the_registrations(fleet: Fleet) -> None:
    def positions() -> list[int]:
        rows = fleet.sql.execute(
            "select m.position from tenancy.tenant_migrations m order by m.registered_at"
        )
        return [row["position"] for row in rows]

    count = len(positions())
    with psycopg.connect(fleet.address.db_url) as database:
        database.execute(
            "select tenancy.register_tenant_migration('rolled_back', 'test', 'select 1')"
        )
        database.rollback()

    def session(number: int) -> None:
        with psycopg.connect(fleet.address.db_url, autocommit=True) as database:
            database.execute(
                "select tenancy.register_tenant_migration(%s, 'test', 'select 1')",
                (f"at_once_{number}",),
            )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(session, range(4)))

    assert len(positions()) == count + 4
    assert sorted(positions()) == [*range(1, count + 5)]


def test_older_version_registered_later_reaches_every_tenant(served: ServedFleet) -> None:
    """For example, a colleague's branch is merged after a newer branch."""
    newer, older = served.table(), served.table()
    register_version = "select tenancy.register_tenant_migration(%s, 'test', %s)"
    tenants = served.tenants(1)
    served.sql.execute(
        register_version, ("20270301000000", f"create table {newer} (id bigint primary key)")
    )
    tenants += served.tenants(1)

    served.sql.execute(
        register_version, ("20270201000000", f"create table {older} (id bigint primary key)")
    )
    tenants += served.tenants(1)

    assert served.latest() == "20270201000000"
    behind = served.rpc(served.service, "list_tenants_behind").json()
    assert {
        row["schema_name"]: (row["schema_version"], row["next_version"], row["pending"])
        for row in behind
    } == {
        tenants[0]: (behind_start(behind, tenants[0]), "20270301000000", 2),
        tenants[1]: ("20270301000000", "20270201000000", 1),
    }
    assert served.rpc(served.service, "get_migration_status").json() == {
        "latest_version": "20270201000000",
        "tenant_count": 3,
        "up_to_date": 1,
        "behind": 2,
        "pooled_behind": 0,
        "stuck": 0,
        "stuck_tenants": [],
        "unreachable_tables": [],
        "warnings": [],
    }
    assert sorted(served.roll_out()["migrated"]) == sorted(tenants[:2])
    for tenant in tenants:
        assert {("table", newer), ("table", older)} <= {
            found[:2] for found in served.objects(tenant)
        }
        assert served.drift(tenant) == []
    assert served.rpc(served.service, "list_tenants_behind").json() == []


def behind_start(behind: list[dict[str, Any]], tenant: str) -> Any:
    return next(row["schema_version"] for row in behind if row["schema_name"] == tenant)


def test_pages_of_tenants_behind_are_sorted_by_name_for_all_versions(
    fleet: Fleet,
) -> None:
    steps: dict[str, int] = {}
    for pending in (2, 1, 0):
        steps |= dict.fromkeys(fleet.tenants(3), pending)
        if pending:
            fleet.register("select 1")

    pages, last = [], None
    while page := fleet.query("list_tenants_behind", after_schema_name=last, page_size=4):
        pages.append(page)
        last = page[-1]["schema_name"]

    assert [len(page) for page in pages] == [4, 2]
    found = [(row["schema_name"], row["pending"]) for page in pages for row in page]
    assert found == sorted((name, pending) for name, pending in steps.items() if pending)


def test_page_of_tenants_behind_ends_at_its_size(fleet: Fleet) -> None:
    names = fleet.tenants(7)
    version = fleet.register(f"create table {fleet.table()} (id bigint primary key)")
    with fleet.sql.transaction(force_rollback=True):
        fleet.sql.execute(
            "insert into tenancy.unfinished_migrations"
            " (schema_name, version, sqlstate, message, stuck_since, failed_at, attempts)"
            " select name, %s, '22012', repeat('x', 900000), now(), now(), 1"
            " from unnest(%s::text[]) name",
            (version, names),
        )

        def page(last: str | None = None, page_size: int = 100) -> list[dict[str, Any]]:
            return fleet.sql.execute(
                "select schema_name, has_more from public.list_tenants_behind(%s, %s)",
                (last, page_size),
            ).fetchall()

        first = page()
        assert [row["schema_name"] for row in first] == names[:4]
        assert [row["has_more"] for row in first] == [True] * 4
        second = page(names[3])
        assert [row["schema_name"] for row in second] == names[4:]
        assert [row["has_more"] for row in second] == [True, True, False]
        assert page(page_size=2) == first[:2]
        assert page(names[4], page_size=2) == second[1:]
        assert page(names[-1]) == []
