"""The counted cost of migrating one tenant does not depend on the number of tenants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from support.counting import calls, rows_read_by_each
from support.fleet import Fleet


def calls_for(fleet: Fleet, tenant: str) -> Counter[str]:
    """How often each function runs while the tenant is migrated; rolled back afterwards."""
    with tracked(fleet) as database:
        result = database.execute(
            "select outcome::text from public.migrate_tenant(%s)", (tenant,)
        ).fetchone()
        assert result == ("migrated",)
        return calls(database)


def replayed(fleet: Fleet, *, with_script: bool = False) -> int:
    """How many tenant migrations a new tenant replays; it is rolled back afterwards."""
    with tracked(fleet) as database:
        if not with_script:
            database.execute("delete from tenancy.tenant_template_scripts where true")
        database.execute("select public.create_tenant_schema(%s)", (fleet.name(),))
        return calls(database)["apply_tenant_migration"]


@contextmanager
def tracked(fleet: Fleet) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(fleet.address.admin_db_url) as database:
        database.execute("set track_functions = 'all'")
        database.execute("set role postgres")
        yield database
        database.rollback()


def test_function_calls_do_not_grow_with_the_number_of_tenants(fleet: Fleet) -> None:
    tenant, table = fleet.tenant(), fleet.table()
    fleet.register(
        f"create table {table} (id bigint primary key);"
        f" alter table users add column {table} text"
    )
    alone = calls_for(fleet, tenant)

    more = 5
    fleet.tenants(more)

    # In how many rows a condition is evaluated depends on the plan, and so on the statistics.
    calls = calls_for(fleet, tenant)
    assert {name for name in calls if calls[name] - alone[name] >= more} == set()
    assert fleet.migrate(tenant)["outcome"] == "migrated"


def test_rows_read_do_not_grow_with_the_number_of_tenants(fleet: Fleet) -> None:
    """The audit functions of all tenants have the same names. A lookup of a function by name
    would read all of them."""
    more = 20
    tenants = [fleet.tenant() for _ in range(12)]
    fleet.register(f"create table {fleet.table()} (id bigint primary key)")
    before = reads(fleet, tenants[:4])

    fleet.tenants(more)

    # Other tenants than before, because rows left by a rollback are read like live rows. In two
    # sessions, because PostgreSQL may discard the catalog cache of one session.
    after = min(reads(fleet, tenants[4:8]), reads(fleet, tenants[8:]))
    assert after < before + more


def reads(fleet: Fleet, tenants: list[str]) -> int:
    """The smallest number of rows read for a tenant, in a session that has migrated another.

    The smallest, because PostgreSQL may discard the catalog cache of the session at any time,
    and then the session reads the catalog again.
    """
    with psycopg.connect(fleet.address.db_url) as database:
        rows = rows_read_by_each(
            database,
            tenants,
            lambda tenant: database.execute("select public.migrate_tenant(%s)", (tenant,)),
        )
        database.rollback()
    return min(rows)


def test_tenant_without_own_objects_is_described_once(fleet: Fleet) -> None:
    plain, owner, extended = (fleet.tenant() for _ in range(3))
    fleet.sql.execute(sql.SQL("create table {}.notes ()").format(sql.Identifier(owner)))
    fleet.query(
        "add_column", schema_name=extended, table_name="users",
        column_name="x_phone", column_type="text",
    )  # fmt: skip
    fleet.register(f"create table {fleet.table()} (id bigint primary key)")

    assert calls_for(fleet, plain)["schema_objects"] == 1
    # Before and after the migration, to compare their own objects.
    assert calls_for(fleet, owner)["schema_objects"] == 2
    assert calls_for(fleet, extended)["schema_objects"] == 2


def test_new_tenant_replays_only_migrations_with_statements(fleet: Fleet) -> None:
    before = replayed(fleet)

    fleet.register("-- No statement.\n\n    -- It refreshes the audit triggers.")
    assert replayed(fleet) == before

    fleet.register(f"-- Something.\ncreate table {fleet.table()} (id bigint primary key)")
    assert replayed(fleet) == before + 1


def test_creation_by_script_decides_nothing_and_calls_nothing_for_each_migration(
    fleet: Fleet,
) -> None:
    def calls_of_a_creation() -> Counter[str]:
        with tracked(fleet) as database:
            database.execute("select public.create_tenant_schema(%s)", (fleet.name(),))
            return calls(database)

    before = calls_of_a_creation()
    for _ in range(3):
        fleet.register(f"create table {fleet.table()} (id bigint primary key)")
    after = calls_of_a_creation()

    # An event trigger of the platform counts the statements that change the catalog. A
    # hand-written script of the same objects has as many.
    assert before.pop("pgrst_ddl_watch") <= 50
    assert after.pop("pgrst_ddl_watch") <= 50 + 3 * 14
    assert after == before
    assert before["run_creation_script"] == 1
    assert before.keys().isdisjoint(
        {"apply_tenant_migration", "enable_tenant_table", "audit_table", "grant_differences"}
    )
    assert max(before.values()) <= 7
    assert before.total() <= 40


def test_migration_requests_one_reload_of_the_schema_cache(fleet: Fleet) -> None:
    tenant, table = fleet.tenant(), fleet.table()
    fleet.register(
        f"create table {table} (id bigint primary key);"
        f" alter table users add column {table} text"
    )
    with psycopg.connect(fleet.address.db_url, autocommit=True) as listener:
        listener.execute("listen pgrst")

        assert fleet.migrate(tenant)["outcome"] == "migrated"

        asked = [notice.payload for notice in listener.notifies(timeout=1)]
    assert asked == ["reload schema"]


def test_list_of_tenants_behind_reads_no_tenant_that_is_up_to_date(fleet: Fleet) -> None:
    fleet.tenants(1)
    fleet.register("select 1")
    behind = fleet.tenants(1)
    fleet.register("select 1")
    for name in fleet.versions():
        while fleet.migrate(name)["outcome"] == "migrated":
            pass

    def listed() -> tuple[list[str], int]:
        """The listed tenants, and the number of rows of the registry that were read."""
        # Rows left by an update would count. With statistics of a single version the planner
        # could choose the wrong index.
        fleet.sql.execute("vacuum analyze public.tenants")
        with psycopg.connect(fleet.address.db_url) as database:
            # The registry is small here, so the planner would prefer to read all of it.
            database.execute("set local enable_seqscan = off")
            names = [
                row[0]
                for row in database.execute(
                    "select schema_name from public.list_tenants_behind()"
                ).fetchall()
            ]
            row = database.execute(
                "select sum(pg_stat_get_xact_tuples_returned(r.oid))::integer from ("
                " select 'public.tenants'::regclass::oid union all"
                " select i.indexrelid from pg_index i"
                " where i.indrelid = 'public.tenants'::regclass) r (oid)"
            ).fetchone()
            database.rollback()
        assert row is not None
        return names, row[0]

    assert listed() == ([], 0)
    fleet.tenants(8)
    assert listed() == ([], 0)

    fleet.sql.execute(
        "update public.tenants set schema_version = 'tenantry_0001' where schema_name = %s",
        (behind[0],),
    )
    names, read = listed()
    assert names == behind
    assert read < 5
    fleet.sql.execute(
        "update public.tenants set schema_version = tenancy.latest_tenant_version()"
    )


def audit_functions_run(database: psycopg.Connection[Any]) -> set[str]:
    """The audit functions that the session has compiled, those of dropped schemas included."""
    rows = database.execute(
        "select distinct split_part(ident, '.', 2) from pg_backend_memory_contexts"
        " where name = 'PL/pgSQL function' and ident like '%%\\_\\_audit()'"
    )
    return {name.removesuffix("()") for (name,) in rows}


def test_registration_tries_only_the_tables_that_its_migration_makes(fleet: Fleet) -> None:
    """A session keeps the plans of each function that has run in it, and every DDL statement
    looks through them. So trying all tables would make each registration of a push slower."""
    table = fleet.table()
    with tracked(fleet) as database:
        database.execute(
            "select tenancy.register_tenant_migration(%s, %s, %s)",
            (table, table, f"create table {table} (id bigint primary key)"),
        )
        tried = audit_functions_run(database)
        assert f"tg_{table}__audit" in tried
        assert "tg_settings__audit" not in tried

        database.execute(
            "select tenancy.register_tenant_migration('altered', 'altered', %s)",
            ("alter table settings add column note text",),
        )
        assert "tg_settings__audit" in audit_functions_run(database)
