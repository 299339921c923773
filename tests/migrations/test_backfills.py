"""A backfill changes the rows of a table in batches, until none is left to change."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import sql

from support.fleet import Fleet
from support.waiting import until

_STATEMENT = "update {} set total = net where total is null and ctid >= $1 and ctid < $2"
_JOIN = """
    update {} o set total = s.net from {} s
    where s.id = o.id and o.total is null and o.ctid >= $1 and o.ctid < $2;
"""
_DELETE = "delete from {} where ctid >= $1 and ctid < $2 -- all"
_PAUSE = "pg_sleep(0.0015) is not null"


def identifiers(text: str, *names: str) -> sql.Composed:
    return sql.SQL(text).format(*map(sql.Identifier, names))


def filled(fleet: Fleet, rows: int) -> tuple[str, str]:
    """A tenant and a table whose column `total` is to be filled in this many rows."""
    tenant, table = fleet.tenant(), fleet.table()
    fleet.register(f"create table {table} (id bigint primary key, net bigint, total bigint)")
    fleet.migrate(tenant)
    fleet.sql.execute(
        identifiers(
            "insert into {}.{} select i, i from generate_series(1, %s) i", tenant, table
        ),
        (rows,),
    )
    return tenant, table


def statement(table: str) -> str:
    return _STATEMENT.replace("{}", table)


def slow_statement(table: str) -> str:
    """About 0.3 s for the 185 rows of a block, so that a call runs few blocks."""
    return f"{statement(table)} and case when total is null then {_PAUSE} end"


def left(fleet: Fleet, tenant: str, table: str) -> int:
    row = fleet.sql.execute(
        identifiers("select count(*) from {}.{} where total is null", tenant, table)
    ).fetchone()
    assert row is not None
    return int(row["count"])


def entries(fleet: Fleet, tenant: str, table: str) -> list[dict[str, Any]]:
    return fleet.sql.execute(
        identifiers(
            "select action, record_id, new_values from {}.audit_log"
            " where table_name = %s and action = 'update' order by id",
            tenant,
        ),
        (table,),
    ).fetchall()


def until_passed(fleet: Fleet, tenant: str) -> list[dict[str, Any]]:
    results = [fleet.migrate(tenant)]
    while results[-1]["outcome"] == "in_progress":
        results.append(fleet.migrate(tenant))
    return results


def test_small_tenant_passes_a_backfill_in_one_call(fleet: Fleet) -> None:
    tenant, table = filled(fleet, 1000)
    version = fleet.register_backfill(statement(table))

    assert fleet.migrate(tenant) == {
        "schema_name": tenant,
        "outcome": "migrated",
        "version": version,
        "pending": 0,
        "sqlstate": None,
        "message": None,
        "name": "test",
        "pass_number": None,
        "rows_done": 1000,
        "rows_left": 0,
        "seconds_left": 0,
    }
    assert left(fleet, tenant, table) == 0
    assert fleet.drift(tenant) == []
    assert fleet.migrate(tenant)["outcome"] == "up_to_date"


def test_literals_of_a_backfill_may_contain_comments(fleet: Fleet) -> None:
    tenant, table = filled(fleet, 10)
    fleet.register_backfill(
        statement(table) + " and replace(net::text, '--', '-') <> '; */'"
        r" and net::text not in (E'it\'s -- x', $q$ -- $q$) /* a /* b */ c */;"
    )

    assert fleet.migrate(tenant)["outcome"] == "migrated"
    assert left(fleet, tenant, table) == 0


def test_literals_do_not_hide_a_second_statement_of_a_backfill(fleet: Fleet) -> None:
    _, table = filled(fleet, 0)
    latest = fleet.latest()

    with pytest.raises(psycopg.Error, match="cannot be run in batches"):
        fleet.register_backfill(
            f"{statement(table)} and net::text <> '/*'; delete from settings"  # noqa: S608
            " where key <> '*/'"
        )
    assert fleet.latest() == latest


def test_new_tenant_starts_behind_a_backfill(fleet: Fleet) -> None:
    _, table = filled(fleet, 0)
    version = fleet.register_backfill(f"{statement(table)} and 1 / (id - id) = 0")
    tenant = fleet.tenant()

    assert fleet.versions()[tenant] == version
    assert fleet.drift(tenant) == []


def test_every_call_commits_a_batch_and_reports_the_progress(fleet: Fleet) -> None:
    tenant, table = filled(fleet, 1110)
    version = fleet.register_backfill(slow_statement(table), batch=1)

    first = fleet.migrate(tenant)
    assert (first["outcome"], first["version"], first["pending"]) == ("in_progress", version, 1)
    assert 0 < first["rows_done"] < 1110
    assert left(fleet, tenant, table) == 1110 - first["rows_done"]
    assert 0 < first["rows_left"] <= 1110
    assert first["seconds_left"] > 0
    # Rows that come behind the place that the pass has reached.
    fleet.sql.execute(
        identifiers(
            "insert into {}.{} select -i, i from generate_series(1, 5) i", tenant, table
        )
    )

    results = until_passed(fleet, tenant)
    done = [first["rows_done"], *(result["rows_done"] for result in results)]
    assert done == sorted(done)
    assert (results[-1]["outcome"], done[-1]) == ("migrated", 1115)
    assert left(fleet, tenant, table) == 0
    [entry] = fleet.sql.execute(
        "select details from public.admin_audit_log where schema_name = %s"
        " and details -> 'after' ->> 'schema_version' = %s",
        (tenant, version),
    ).fetchall()
    assert entry["details"]["rows"] == 1115


def test_killed_backfill_goes_on_after_its_last_batch(fleet: Fleet) -> None:
    tenant, table = filled(fleet, 740)
    fleet.register_backfill(slow_statement(table), batch=1)
    before = fleet.migrate(tenant)["rows_done"]

    with ThreadPoolExecutor(1) as pool, psycopg.connect(fleet.address.db_url) as session:
        killed = pool.submit(session.execute, "select public.migrate_tenant(%s)", (tenant,))

        def kill() -> bool:
            return bool(
                fleet.sql.execute(
                    "select pg_terminate_backend(a.pid) from pg_stat_activity a"
                    " where a.pid = %s and a.wait_event = 'PgSleep'",
                    (session.info.backend_pid,),
                ).fetchone()
            )

        until(kill)
        with pytest.raises(psycopg.OperationalError):
            killed.result()
    assert left(fleet, tenant, table) == 740 - before

    assert until_passed(fleet, tenant)[-1]["rows_done"] == 740
    assert left(fleet, tenant, table) == 0


def test_batch_has_one_entry_in_the_audit_log(fleet: Fleet) -> None:
    tenant, table = filled(fleet, 300)
    version = fleet.register_backfill(statement(table), batch=1_000)
    fleet.migrate(tenant)

    assert entries(fleet, tenant, table) == [
        {
            "action": "update",
            "record_id": None,
            "new_values": {"backfill": version, "rows": 300},
        }
    ]


def test_backfill_with_audit_rows_has_an_entry_for_each_row(fleet: Fleet) -> None:
    tenant, table = filled(fleet, 300)
    fleet.register_backfill(statement(table), audit_rows=True)
    fleet.migrate(tenant)

    assert [entry["new_values"] for entry in entries(fleet, tenant, table)] == [
        {"total": net} for net in range(1, 301)
    ]


def test_parameter_of_a_member_does_not_end_the_audit(fleet: Fleet) -> None:
    tenant, table = filled(fleet, 370)
    version = fleet.register_backfill(slow_statement(table), batch=1)
    assert fleet.migrate(tenant)["outcome"] == "in_progress"
    with fleet.sql.transaction():
        fleet.sql.execute("select set_config('tenancy.backfill', %s, true)", (version,))
        fleet.sql.execute(
            identifiers("update {}.{} set net = -1 where id = 370", tenant, table)
        )

    assert entries(fleet, tenant, table)[-1]["new_values"] == {"net": -1}


def test_failing_backfill_keeps_its_earlier_batches(fleet: Fleet) -> None:
    tenant, table = filled(fleet, 740)
    version = fleet.register_backfill(
        f"{slow_statement(table)} and 1 / (id - 700) is not null", batch=1
    )

    results = until_passed(fleet, tenant)
    assert len(results) > 1
    assert (results[-1]["outcome"], results[-1]["sqlstate"]) == ("failed", "22012")
    assert results[-1]["version"] == version
    assert results[-1]["rows_done"] == results[-2]["rows_done"]
    unfinished = left(fleet, tenant, table)
    assert 0 < unfinished < 740
    assert unfinished == 740 - results[-1]["rows_done"]
    assert fleet.status()["stuck"] == 1

    fleet.sql.execute(identifiers("update {}.{} set id = 0 where id = 700", tenant, table))
    assert until_passed(fleet, tenant)[-1]["outcome"] == "migrated"
    assert left(fleet, tenant, table) == 0
    assert fleet.status()["stuck"] == 0


def test_locked_row_makes_the_next_batch_smaller(fleet: Fleet) -> None:
    tenant, table = filled(fleet, 1000)
    fleet.register_backfill(statement(table), batch=1000)
    with psycopg.connect(fleet.address.db_url) as session:
        session.execute(
            identifiers("select from {}.{} where id = 900 for update", tenant, table)
        )
        waiting = fleet.migrate(tenant)
        assert (waiting["outcome"], waiting["rows_done"]) == ("in_progress", 0)
        # The smaller batch ends before the locked row.
        assert fleet.migrate(tenant)["rows_done"] > 0

    assert until_passed(fleet, tenant)[-1]["outcome"] == "migrated"
    assert left(fleet, tenant, table) == 0


@pytest.mark.parametrize("fillfactor", [10, 100], ids=["in their blocks", "elsewhere"])
def test_row_is_never_changed_twice(fleet: Fleet, fillfactor: int) -> None:
    tenant, table = filled(fleet, 555)
    # The made-up row of the registration does not fulfil the condition.
    fleet.register_backfill(
        f"update {table} o set net = net * 2 where net > 100 and o.ctid >= $1 and o.ctid < $2",  # noqa: S608
        batch=1,
    )
    fleet.sql.execute(
        sql.SQL("alter table {} set (fillfactor = {})").format(
            sql.Identifier(tenant, table), sql.Literal(fillfactor)
        )
    )
    fleet.sql.execute(identifiers("vacuum full {}.{}", tenant, table))

    result = until_passed(fleet, tenant)[-1]
    assert (result["outcome"], result["rows_done"]) == ("failed", 0)
    assert "would change rows again" in result["message"]
    changed = fleet.sql.execute(
        identifiers("select from {}.{} where net <> id", tenant, table)
    ).rowcount
    assert changed == 0


def test_condition_that_comes_true_again_ends_in_the_second_pass(fleet: Fleet) -> None:
    tenant, table = filled(fleet, 1110)
    now = "(extract(epoch from now()) * 1000000)::bigint"
    fleet.register_backfill(
        f"update {table} set total = {now} where coalesce(total, 0) < {now}"  # noqa: S608
        f" and ctid >= $1 and ctid < $2 and case when coalesce(total, 0) < {now} then"
        " pg_sleep(0.001) is not null end",
        batch=1,
    )

    results = until_passed(fleet, tenant)
    assert results[-1]["outcome"] == "failed"
    assert "reaches no end" in results[-1]["message"]
    assert results[-1]["rows_done"] < 2 * 1110 + 1000
    assert {result["pass_number"] for result in results[:-1]} == {1, 2}


def test_rows_left_are_estimated_from_the_whole_table(fleet: Fleet) -> None:
    tenant, table = filled(fleet, 0)
    place = sql.Identifier(tenant, table)
    fleet.sql.execute(sql.SQL("alter table {} disable trigger user").format(place))
    fleet.sql.execute(
        sql.SQL("insert into {} select i from generate_series(1, 30000) i").format(place)
    )
    fleet.sql.execute(sql.SQL("delete from {} where id <= 20000").format(place))

    row = fleet.sql.execute(
        "select tenancy.rows_a_block(%(schema)s, %(table)s)"
        " * tenancy.block_count(%(schema)s, %(table)s) as rows",
        {"schema": tenant, "table": table},
    ).fetchone()
    assert row is not None
    assert row["rows"] == pytest.approx(10_000, rel=0.1)


def test_two_runs_at_once_share_the_batches(fleet: Fleet) -> None:
    tenant, table = filled(fleet, 740)
    fleet.register_backfill(slow_statement(table), batch=1)

    def run() -> set[str]:
        with psycopg.connect(fleet.address.db_url, autocommit=True) as session:
            outcomes = {"in_progress"}
            while not outcomes & {"migrated", "up_to_date", "failed"}:
                # "busy".
                with contextlib.suppress(psycopg.ProgrammingError):
                    row = session.execute(
                        "select (public.migrate_tenant(%s)).outcome::text", (tenant,)
                    ).fetchone()
                    assert row is not None
                    outcomes.add(row[0])
            return outcomes

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(run), pool.submit(run)
        outcomes = first.result() | second.result()
    assert outcomes == {"in_progress", "migrated", "up_to_date"}
    assert left(fleet, tenant, table) == 0
    [entry] = fleet.sql.execute(
        "select details ->> 'rows' as rows from public.admin_audit_log"
        " where schema_name = %s and details ? 'rows'",
        (tenant,),
    ).fetchall()
    assert entry["rows"] == "740"


def test_suspended_tenant_is_backfilled_and_can_be_deleted_meanwhile(fleet: Fleet) -> None:
    tenant, table = filled(fleet, 740)
    other = fleet.tenant()
    fleet.register_backfill(slow_statement(table), batch=1)
    fleet.suspend(tenant)
    assert fleet.migrate(tenant)["outcome"] == "in_progress"
    fleet.sql.execute("select public.delete_tenant_schema(%s)", (tenant,))

    assert fleet.sql.execute("select from tenancy.unfinished_backfills").fetchall() == []
    with pytest.raises(psycopg.Error, match="There is no tenant"):
        fleet.migrate(tenant)
    assert fleet.migrate(other)["outcome"] == "migrated"


def test_replaced_backfill_begins_again(fleet: Fleet) -> None:
    tenant, table = filled(fleet, 740)
    version = fleet.register_backfill(slow_statement(table), batch=1)
    assert fleet.migrate(tenant)["outcome"] == "in_progress"

    fleet.sql.execute(
        "select public.replace_tenant_migration(%s, %s)",
        (
            version,
            statement(table).replace(
                "net where total is null", "-net where (total > 0 or total is null)"
            ),
        ),
    )
    assert until_passed(fleet, tenant)[-1]["rows_done"] == 740


def test_withdrawn_backfill_leaves_no_progress(fleet: Fleet) -> None:
    tenant, table = filled(fleet, 740)
    version = fleet.register_backfill(slow_statement(table), batch=1)
    assert fleet.migrate(tenant)["outcome"] == "in_progress"

    fleet.sql.execute("select public.withdraw_tenant_migration(%s)", (version,))
    assert fleet.sql.execute("select from tenancy.unfinished_backfills").fetchall() == []
    assert fleet.migrate(tenant)["outcome"] == "up_to_date"


def test_backfill_may_join_and_delete(fleet: Fleet) -> None:
    tenant, table = filled(fleet, 10)
    fleet.register_backfill(_JOIN.replace("{}", table))
    fleet.register_backfill(_DELETE.replace("{}", table))
    assert fleet.migrate(tenant)["rows_done"] == 10
    assert left(fleet, tenant, table) == 0
    assert fleet.migrate(tenant)["rows_done"] == 10


_PART = "total is null and ctid >= $1 and ctid < $2"
_AGAIN = "would change rows again"
_REFUSED = (
    # No range, and a turned one.
    ("update {} set total = 1 where total is null", "add .and .*ctid >= "),
    (
        "update {} set total = 1 where total is null and ctid >= $2 and ctid < $1",
        "add .and .*ctid >= ",
    ),
    ("update {} set total = 1 where ctid >= $1 and ctid < $2", "condition that is false"),
    ("insert into {} select id + 1 from {} where [part]", "UPDATE or DELETE"),
    ("alter table {} add column more text", "UPDATE or DELETE"),
    ("update {} set total = 1 where [part]; drop table {}", "UPDATE or DELETE"),
    (
        "update public.tenants set display_name = '' where id is null"
        " and ctid >= $1 and ctid < $2",
        "table of the tenant",
    ),
    ("update {} set total = nothing where [part]", "Tenant migration .* failed: .*nothing"),
    # PostgreSQL plans no reading at all.
    (
        "update {} set total = 1 where id is null and ctid >= $1 and ctid < $2",
        "can never be true",
    ),
    ("update {} set net = net * 2 where net > 0 and ctid >= $1 and ctid < $2", _AGAIN),
    ("  ", "is empty"),
)


def test_statement_that_cannot_run_in_batches_is_refused(fleet: Fleet) -> None:
    table = fleet.table()
    fleet.register(f"create table {table} (id bigint primary key, net bigint, total bigint)")

    for text, reason in _REFUSED:
        with pytest.raises(psycopg.Error, match=f"(?s){reason}"):
            fleet.register_backfill(text.replace("{}", table).replace("[part]", _PART))
    fleet.register_backfill(statement(table))


_MIXED = """
    -- Totals; of all orders.
    alter table {} add column "Price" bigint default 1;
    update {} o set total = net * "Price" where total is null or net = 0;
    update {} set net = 1;
    create index {}_total on {} (total);
    alter table {} alter column total set not null
"""
_PHASES = """\
select tenancy.register_tenant_migration('[v]', 'test', $tenant$
alter table {} add column "Price" bigint default 1;
$tenant$);
select tenancy.register_tenant_backfill('[v]_2', 'test', $tenant$
update {} o set total = net * "Price" where (total is null or net = 0)
    and o.ctid >= $1 and o.ctid < $2
$tenant$);
select tenancy.register_tenant_backfill('[v]_3', 'test', $tenant$
update {} set net = 1
where net is null and {}.ctid >= $1 and {}.ctid < $2
$tenant$);
select tenancy.register_tenant_index('[v]_4', 'test', $tenant$
create index {}_total on {} (total)
$tenant$);
select tenancy.register_tenant_migration('[v]_5', 'test', $tenant$
alter table {} alter column total set not null;
$tenant$);"""


def test_phases_of_a_mixed_migration_are_written_out(fleet: Fleet) -> None:
    _, table = filled(fleet, 0)

    def advice(statements: str) -> str | None:
        row = fleet.sql.execute(
            "select tenancy.phases_advice('mixed', 'test', %s) as text",
            (statements.replace("{}", table),),
        ).fetchone()
        assert row is not None
        text: str | None = row["text"]
        return text

    phases = _PHASES.replace("{}", table).replace("[v]", "mixed")
    assert advice(_MIXED) == phases
    assert advice("alter table {} add column note text") is None
    assert advice("update {} set note = 'x' where id = 1") is None
    assert (
        advice("create table {} (id int); alter table {} add a int; update {} set a=1") is None
    )

    # The change and the first backfill can be registered as they are.
    fleet.sql.execute(
        phases[: phases.index("select tenancy", phases.index("mixed_2"))].encode()
    )


def test_migration_that_also_updates_rows_is_warned_of(fleet: Fleet) -> None:
    tenant, table = filled(fleet, 0)
    warnings: list[str] = []
    fleet.sql.add_notice_handler(lambda notice: warnings.append(notice.message_primary or ""))

    fleet.register(f"alter table {table} add column note text; update {table} set note = 'x'")  # noqa: S608

    [warning] = warnings
    assert "changes a table and updates its rows in one transaction" in warning
    assert "select tenancy.register_tenant_backfill(" in warning
    assert warning in fleet.status()["warnings"]
    fleet.migrate(tenant)
    assert warning not in fleet.status()["warnings"]
