"""`tenantry migrate` and `tenantry drift`, as an operator runs them."""

from __future__ import annotations

import json
import signal

import psycopg
from psycopg import sql

from support.fleet import ServedFleet
from support.waiting import is_pending, until


def add_conflict(served: ServedFleet, tenant: str, table: str) -> None:
    """Creates an own table with the name of the migration's table."""
    served.sql.execute(
        sql.SQL("create table {}.{} ()").format(sql.Identifier(tenant), sql.Identifier(table))
    )


def remove_conflict(served: ServedFleet, tenant: str, table: str) -> None:
    served.sql.execute(
        sql.SQL("drop table {}.{}").format(sql.Identifier(tenant), sql.Identifier(table))
    )


def test_one_tenant_fails_the_others_succeed_and_a_fix_completes_the_run(
    served: ServedFleet,
) -> None:
    tenants, table = served.tenants(10), served.table()
    add_conflict(served, tenants[3], table)
    version = served.register(f"create table {table} (id bigint primary key)")

    first = served.roll_out()

    assert first["latest_version"] == version
    assert sorted(first["migrated"]) == [name for name in tenants if name != tenants[3]]
    [failure] = first["failed"]
    assert (failure["schema_name"], failure["sqlstate"]) == (tenants[3], "42P07")
    assert "already exists" in failure["message"]

    shown = served.command("migrate")
    assert shown.exit_code == 1
    assert tenants[3] in shown.stdout
    assert "--retry-failed" in shown.stdout

    remove_conflict(served, tenants[3], table)
    assert served.roll_out("--retry-failed")["migrated"] == [tenants[3]]
    done = served.command("migrate")
    assert done.exit_code == 0
    assert "Nothing to do" in done.stdout
    assert served.command("drift").exit_code == 0


def test_failed_canary_stops_the_run(served: ServedFleet) -> None:
    tenants, table = served.tenants(4), served.table()
    add_conflict(served, tenants[0], table)
    served.register(f"create table {table} (id bigint primary key)")

    shown = served.command("migrate", "--canary", "1")
    assert f"Canaries: {tenants[0]}." in shown.stderr
    assert "1 tenant failed; nothing was changed there" in shown.stdout
    report = served.roll_out("--canary", "1", "--retry-failed")

    assert [failure["schema_name"] for failure in report["failed"]] == [tenants[0]]
    assert report["not_started"] == tenants[1:]
    assert report["migrated"] == []
    assert served.roll_out("--canary", "1")["migrated"] != []


def test_stop_on_error_starts_no_other_tenant(served: ServedFleet) -> None:
    tenants, table = served.tenants(4), served.table()
    add_conflict(served, tenants[1], table)
    served.register(f"create table {table} (id bigint primary key)")

    report = served.roll_out("--stop-on-error", "--workers", "1")

    assert report["migrated"] == tenants[:1]
    assert report["not_started"] == tenants[2:]


def test_dry_run_changes_nothing_and_tenant_option_selects_one(served: ServedFleet) -> None:
    tenants = served.tenants(2)
    before, table = served.versions(), served.table()
    served.register(f"create table {table} (id integer primary key, total integer)")
    version = served.register(
        f"alter table {table} alter total set default 0; update {table} set total = 0"  # noqa: S608
    )

    planned = served.command("migrate", "--dry-run")

    assert planned.exit_code == 0
    assert f"{tenants[0]}: {before[tenants[0]]} → {version}, 2 to apply" in planned.stdout
    # A push to a hosted project cannot show it.
    assert f"Warning: Tenant migration {version} changes a table" in planned.stderr
    assert "select tenancy.register_tenant_backfill(" in planned.stderr
    assert served.versions() == before
    assert served.roll_out("--tenant", tenants[1])["migrated"] == [tenants[1]]
    assert served.versions()[tenants[0]] == before[tenants[0]]
    unknown = served.command("migrate", "--tenant", "nobody_at_all")
    assert unknown.exit_code == 1
    assert "There is no tenant" in unknown.stderr


def test_several_pending_migrations_are_applied_in_their_order(served: ServedFleet) -> None:
    tenants, table = served.tenants(3), served.table()
    served.register(f"create table {table} (id bigint primary key)")
    served.register(f"insert into {table} values (1)")  # noqa: S608
    served.register(f"alter table {table} add column note text")

    report = served.roll_out()

    assert sorted(report["migrated"]) == tenants
    assert report["migrations_applied"] == 9


def test_drift_names_the_tenant(served: ServedFleet) -> None:
    tenants = served.tenants(2)
    with psycopg.connect(served.address.db_url) as database:
        database.execute(
            sql.SQL("alter table {}.users alter role drop not null").format(
                sql.Identifier(tenants[1])
            )
        )

    shown = served.command("drift")

    assert shown.exit_code == 1
    assert "1 of 2 tenants" in shown.stdout
    assert tenants[1] in shown.stdout
    assert tenants[0] not in shown.stdout


def test_drift_cuts_a_long_text_and_names_the_option_for_the_full_text(
    served: ServedFleet,
) -> None:
    tenant = served.tenant()
    body = "\n".join(f"-- {number} {'x' * 20}" for number in range(50))
    with psycopg.connect(served.address.db_url) as database:
        database.execute(
            sql.SQL("create function {}.idle() returns void language sql as {}").format(
                sql.Identifier(tenant), sql.Literal(body)
            )
        )

    shown = served.command("drift", "--tenant", tenant)
    full = served.command("drift", "--tenant", tenant, "--json")

    assert (shown.exit_code, full.exit_code) == (1, 1)
    assert len(shown.stdout.splitlines()) < 40
    assert "--json prints them in full" in shown.stdout
    found = [row["found"] for row in json.loads(full.stdout)[tenant]]
    assert any(body in (text or "") for text in found)


def test_drift_prints_sql_that_repairs_every_kind_of_difference(served: ServedFleet) -> None:
    table = served.table()
    served.register(
        f"create table {table} (id bigint primary key,"  # noqa: S608
        f" state text not null default 'new',"
        f" total int constraint {table}_total check (total > 0), parent bigint"
        f" references {table}, code bigint generated by default as identity);"
        f"create index {table}_state on {table} (state);"
        f"create view {table}_view with (security_invoker = true) as select id from {table};"
        f"create function {table}_total() returns int language sql as 'select 1';",
        f"{table}_total",
    )
    tenant, damaged = served.tenant(), sql.Identifier(served.tenant())
    with psycopg.connect(served.address.db_url) as database:
        database.execute(sql.SQL("set search_path = {}").format(damaged))
        for statement in (
            "alter table {0} alter state drop not null, alter state set default 'old',"
            " alter total type bigint, drop constraint {0}_total",
            "alter table {0} drop constraint {0}_parent_fkey",
            "alter table {0} add constraint extra unique (state)",
            "alter table users drop column role",
            "alter table settings drop constraint settings_key_length",
            "drop index {0}_state; create index added on {0} (total)",
            "drop view {0}_view; drop function {0}_total()",
            "create function extra(n int) returns int language sql as 'select 1'",
            "create view extra_view as select 1 as n",
            "drop policy select_member on {0}; drop policy insert_writer on {0};"
            "create policy insert_writer on {0} for insert to authenticated with check (true);"
            "create policy extra on {0} for select to authenticated using (true)",
            "drop trigger audit_insert on {0}; alter table {0} disable trigger audit_delete",
            "drop function tg_settings__audit() cascade",
            "create trigger extra before insert on {0} for each row"
            " execute function tenancy.tg_settings__stamp()",
            "create rule extra as on insert to {0} do instead nothing",
            "alter table {0} disable row level security",
            "grant select on {0} to anon; revoke update on {0} from authenticated",
        ):
            database.execute(statement.replace("{0}", table).encode())

    printed = served.command("drift", "--sql")
    assert printed.exit_code == 1
    assert f"-- {tenant}\n" not in printed.stdout
    assert printed.stdout.strip() in served.command("drift").stdout
    served.sql.execute(printed.stdout.encode())

    assert served.command("drift").exit_code == 0


def test_drift_repairs_in_one_round_what_the_doctor_has_repaired_in_part(
    served: ServedFleet,
) -> None:
    table = served.table()
    served.register(
        f"create table {table} (id bigint primary key, total int);"  # noqa: S608
        f"create view {table}_view with (security_invoker = true) as select id from {table}"
    )
    tenant = served.tenant()
    # The audit and the privileges have been adapted to the damage.
    served.sql.execute(
        f"alter table {tenant}.{table} drop column total; drop view {tenant}.{table}_view;"
        f"drop policy delete_writer on {tenant}.{table};"
        f"select tenancy.audit_table('{tenant}', '{table}');"
        f"select tenancy.apply_tenant_privileges('{tenant}')".encode()
    )
    findings = served.sql.execute(
        "select remediation from tenancy.tenant_findings(%s) where object = %s",
        (tenant, f"{tenant}.{table}.total"),
    ).fetchall()
    command = f"tenantry drift --tenant {tenant} --sql"
    assert [command in found["remediation"] for found in findings] == [True]

    served.sql.execute(served.command(*command.split()[1:]).stdout.encode())

    assert served.command("drift").exit_code == 0
    findings = served.sql.execute(
        "select * from tenancy.tenant_findings(%s)", (tenant,)
    ).fetchall()
    assert findings == []


def test_migration_that_is_registered_meanwhile_is_applied_too(served: ServedFleet) -> None:
    """A trigger registers the next migration when the first tenant is migrated."""
    tenants, version = served.tenants(3), "registered_meanwhile"
    served.register("select 1")
    served.sql.execute(
        "create function public.register_next() returns trigger language plpgsql as $$ begin"
        " perform tenancy.register_tenant_migration('registered_meanwhile', 'x', 'select 2');"
        " return null; end $$;"
        "create trigger register_next after update of schema_version on public.tenants"
        " for each row when (not (pg_trigger_depth() > 0))"
        " execute function public.register_next()"
    )
    try:
        report = served.roll_out("--workers", "1")
    finally:
        served.sql.execute("drop function public.register_next() cascade")

    assert report["latest_version"] == version
    assert sorted(report["migrated"]) == tenants
    assert {*served.versions().values()} == {version}
    done = served.command("migrate", "--tenant", tenants[0])
    assert "Nothing to do: 1 given tenant is at" in done.stdout


def test_interrupted_run_reports_what_is_done_and_what_is_left(served: ServedFleet) -> None:
    tenants = served.tenants(3)
    version = served.register("select 1")
    # The second tenant waits for its row until the signal has come.
    with psycopg.connect(served.address.db_url) as holder:
        holder.execute(
            "select from public.tenants where schema_name = %s for update", (tenants[1],)
        )
        running = served.begin("migrate", "--workers", "1", "--json")
        while served.versions()[tenants[0]] != version:
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        until(lambda: not is_pending(signal.SIGINT, running.pid))
        holder.rollback()
    output, _ = running.communicate(timeout=60)
    report = json.loads(output)

    assert running.returncode == 130
    assert report["ended_by"] == "It was interrupted"
    assert report["migrated"][0] == tenants[0]
    assert tenants[2] in report["not_started"]
    assert sorted(report["migrated"] + report["not_started"]) == tenants
    left = report["not_started"]
    assert sorted(served.roll_out()["migrated"]) == left
