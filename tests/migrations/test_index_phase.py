"""A registered index can be built in a large table while the table is written."""

from __future__ import annotations

import threading

import psycopg
import pytest
from psycopg import sql

from support.fleet import Fleet
from tenantry_cli.phase_session import BuildFailure, PhaseSession


def identifiers(text: str, *names: str) -> sql.Composed:
    return sql.SQL(text).format(*map(sql.Identifier, names))


def with_table(fleet: Fleet) -> tuple[str, str]:
    tenant, table = fleet.tenant(), fleet.table()
    fleet.register(
        f"create table {table} (id bigint primary key, total bigint)"
        # Large with few rows.
        " with (fillfactor = 10);"
        f"select tenancy.leave_unaudited(current_schema(), '{table}')"
    )
    fleet.migrate(tenant)
    return tenant, table


def index(fleet: Fleet, tenant: str, table: str) -> tuple[int, bool] | None:
    """The oid of the registered index, and whether it is valid."""
    row = fleet.sql.execute(
        "select i.indexrelid::bigint as oid, i.indisvalid from pg_index i"
        " where i.indexrelid = to_regclass(%s)",
        (f"{tenant}.{table}_total",),
    ).fetchone()
    return (row["oid"], row["indisvalid"]) if row else None


def register(fleet: Fleet, table: str) -> str:
    return fleet.register_index(f"create index {table}_total on {table} (total);")


def enlarge(fleet: Fleet, tenant: str, table: str) -> None:
    """Makes the table as large as an index of it needs to be built concurrently."""
    fleet.sql.execute(
        identifiers("insert into {}.{} select generate_series(1, 50000)", tenant, table)
    )


def next_phase(fleet: Fleet, tenant: str) -> dict[str, str | None]:
    row = fleet.sql.execute("select * from tenancy.next_phase(%s)", (tenant,)).fetchone()
    assert row is not None
    return dict(row)


def test_tenants_and_new_tenants_receive_a_registered_index(fleet: Fleet) -> None:
    tenant, table = with_table(fleet)
    version = register(fleet, table)
    assert next_phase(fleet, tenant)["build_index"] is None

    result = fleet.migrate(tenant)
    assert (result["outcome"], result["version"]) == ("migrated", version)
    new = fleet.tenant()
    for each in (tenant, new):
        found = index(fleet, each, table)
        assert found is not None
        assert found[1]
        assert fleet.drift(each) == []


def test_index_that_was_built_beforehand_is_kept(fleet: Fleet) -> None:
    tenant, table = with_table(fleet)
    enlarge(fleet, tenant, table)
    register(fleet, table)

    phase = next_phase(fleet, tenant)
    assert (phase["phase"], phase["drop_index"]) == ("index", None)
    build = phase["build_index"]
    assert build == f"create index concurrently {table}_total on {table} (total)"
    fleet.sql.execute("select set_config('search_path', %s, false)", (phase["search_path"],))
    fleet.sql.execute(sql.SQL(build))
    fleet.sql.execute("reset search_path")
    built = index(fleet, tenant, table)

    assert next_phase(fleet, tenant)["build_index"] is None
    assert fleet.migrate(tenant)["outcome"] == "migrated"
    assert index(fleet, tenant, table) == built
    assert fleet.drift(tenant) == []


def test_invalid_index_is_dropped_and_built_again(fleet: Fleet) -> None:
    tenant, table = with_table(fleet)
    enlarge(fleet, tenant, table)
    fleet.sql.execute(identifiers("update {}.{} set total = 1", tenant, table))
    # A unique index that fails leaves an invalid one, as an interrupted build does.
    with pytest.raises(psycopg.errors.UniqueViolation):
        fleet.sql.execute(
            sql.SQL("create unique index concurrently {} on {} (total)").format(
                sql.Identifier(f"{table}_total"), sql.Identifier(tenant, table)
            )
        )
    register(fleet, table)
    assert next_phase(fleet, tenant)["drop_index"] == (
        f"drop index concurrently {tenant}.{table}_total"
    )

    result = fleet.migrate(tenant)
    assert result["outcome"] == "migrated", result
    found = index(fleet, tenant, table)
    assert found is not None
    assert found[1]
    assert fleet.drift(tenant) == []


def test_unique_index_is_built_after_the_duplicates_are_gone(fleet: Fleet) -> None:
    tenant, table = with_table(fleet)
    enlarge(fleet, tenant, table)
    fleet.sql.execute(identifiers("update {}.{} set total = 1 where id < 3", tenant, table))
    fleet.register_index(f"create unique index {table}_total on {table} (total)")
    session = PhaseSession(fleet.address.db_url)
    try:
        assert session.build_index(tenant, threading.Event()) is not None
        failed = fleet.migrate(tenant)
        assert (failed["outcome"], failed["sqlstate"]) == ("failed", "23505")

        fleet.sql.execute(identifiers("update {}.{} set total = id", tenant, table))
        assert session.build_index(tenant, threading.Event()) is None
    finally:
        session.close()
    built = index(fleet, tenant, table)
    assert built is not None
    assert built[1]
    assert fleet.migrate(tenant)["outcome"] == "migrated"
    assert index(fleet, tenant, table) == built


def test_other_index_under_the_name_is_built_anew(fleet: Fleet) -> None:
    """As an earlier text has left it, which was replaced."""
    tenant, table = with_table(fleet)
    fleet.sql.execute(
        sql.SQL("create index {} on {} (id)").format(
            sql.Identifier(f"{table}_total"), sql.Identifier(tenant, table)
        )
    )
    other = index(fleet, tenant, table)
    register(fleet, table)
    assert next_phase(fleet, tenant)["drop_index"] == (
        f"drop index concurrently {tenant}.{table}_total"
    )

    assert fleet.migrate(tenant)["outcome"] == "migrated"
    assert index(fleet, tenant, table) not in (other, None)
    assert fleet.drift(tenant) == []


def test_index_under_the_name_of_another_in_the_template_is_refused(fleet: Fleet) -> None:
    _, table = with_table(fleet)
    register(fleet, table)

    with pytest.raises(psycopg.Error, match=f'"{table}_total" already exists'):
        fleet.register_index(f"create index {table}_total on {table} (id)")


def test_index_of_an_own_table_under_the_name_is_kept(fleet: Fleet) -> None:
    tenant, table = with_table(fleet)
    fleet.sql.execute(identifiers("create table {}.own (id bigint)", tenant))
    fleet.sql.execute(
        sql.SQL("create index {} on {} (id)").format(
            sql.Identifier(f"{table}_total"), sql.Identifier(tenant, "own")
        )
    )
    own = index(fleet, tenant, table)
    register(fleet, table)

    assert fleet.migrate(tenant)["outcome"] == "failed"
    assert index(fleet, tenant, table) == own


def test_index_that_tenants_have_beforehand_is_not_forgotten(fleet: Fleet) -> None:
    tenant, table = with_table(fleet)
    version = register(fleet, table)
    fleet.sql.execute(
        sql.SQL("create index {} on {} (total)").format(
            sql.Identifier(f"{table}_total"), sql.Identifier(tenant, table)
        )
    )
    drop = f"drop index concurrently {tenant}.{table}_total"
    other = f"create index {table}_other on {table} (total)"
    for call in (
        sql.SQL("public.withdraw_tenant_migration({})").format(version),
        sql.SQL("public.replace_tenant_migration({}, {})").format(version, other),
    ):
        with pytest.raises(psycopg.Error, match=f"First run: {drop};") as refused:
            fleet.sql.execute(sql.SQL("select {}").format(call))
        assert refused.value.diag.message_detail == "migration_received"

    fleet.sql.execute(drop.encode())
    fleet.sql.execute("select public.withdraw_tenant_migration(%s)", (version,))
    fleet.register(f"alter table {table} add column note text")
    assert fleet.migrate(tenant)["outcome"] == "migrated"


def test_failed_build_names_the_table_and_the_key_but_no_value(fleet: Fleet) -> None:
    tenant, table = with_table(fleet)
    enlarge(fleet, tenant, table)
    fleet.sql.execute(identifiers("update {}.{} set total = 4711", tenant, table))
    fleet.register_index(f"create unique index {table}_total on {table} (total)")
    session = PhaseSession(fleet.address.db_url)
    try:
        failure = session.build_index(tenant, threading.Event())
    finally:
        session.close()

    row = fleet.sql.execute(
        "select sqlstate, message from tenancy.unfinished_migrations where schema_name = %s",
        (tenant,),
    ).fetchone()
    assert row is not None
    assert failure == BuildFailure("23505", row["message"])
    assert row["sqlstate"] == "23505"
    assert f'Two rows of table "{table}" have the same values' in row["message"]
    assert f'"{table}_total" (total)' in row["message"]
    assert "4711" not in row["message"]


def test_index_keeps_the_comments_that_a_literal_contains(fleet: Fleet) -> None:
    tenant, table = with_table(fleet)
    enlarge(fleet, tenant, table)
    condition = "where total::text <> '/*' and total::text <> '*/; --'"
    fleet.register_index(f"create index {table}_total on {table} (total) {condition} -- all")

    phase = next_phase(fleet, tenant)
    assert phase["build_index"] == (
        f"create index concurrently {table}_total on {table} (total) {condition}"
    )
    assert fleet.migrate(tenant)["outcome"] == "migrated"


def test_index_may_have_any_name_that_postgresql_keeps(fleet: Fleet) -> None:
    tenant, table = with_table(fleet)
    enlarge(fleet, tenant, table)
    for name in ('"a""b; c"', "Größe$1", '"' + "ü" * 31 + '"'):
        fleet.register_index(f"create index {name} on {table} (total)")

        assert f"concurrently {name} on" in str(next_phase(fleet, tenant)["build_index"])
        assert fleet.migrate(tenant)["outcome"] == "migrated"
    assert next_phase(fleet, tenant)["version"] is None
    # PostgreSQL would cut these off.
    for name in ("a" * 64, '"' + "ü" * 32 + '"'):
        with pytest.raises(psycopg.errors.NameTooLong, match=r"64 bytes.* keeps 63"):
            fleet.register_index(f"create index {name} on {table} (total)")


_REFUSED = (
    "create index on {} (total)",
    "create index concurrently a on {} (total)",
    "create index if not exists a on {} (total)",
    "create index a on {} (total); drop table {}",
    "create table more (id bigint)",
)


def test_statement_that_is_not_one_named_index_is_refused(fleet: Fleet) -> None:
    table = fleet.table()
    fleet.register(f"create table {table} (id bigint primary key, total bigint)")

    for text in _REFUSED:
        with pytest.raises(psycopg.Error, match="must be one statement"):
            fleet.register_index(text.replace("{}", table))
    with pytest.raises(psycopg.Error, match=r"Tenant migration .* failed: .*totl"):
        fleet.register_index(f"create index {table}_total on {table} (totl)")
    register(fleet, table)
