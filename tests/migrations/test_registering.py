"""What `supabase db push` accepts as a tenant migration, and what it does not change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from support.fleet import Fleet
from tenantry_cli.main import main
from tenantry_cli.new import tenant_migration


def refusal(fleet: Fleet, statements: str, *callable_routines: str) -> str:
    latest = fleet.latest()
    before = fleet.objects("tenant_template")
    with pytest.raises(psycopg.Error) as refused:
        fleet.register(statements, *callable_routines)
    assert fleet.latest() == latest
    assert fleet.objects("tenant_template") == before
    return str(refused.value)


def test_registering_changes_the_reference_and_no_tenant(fleet: Fleet) -> None:
    tenant, table = fleet.tenant(), fleet.table()
    before = fleet.objects(tenant)

    version = fleet.register(f"create table {table} (id bigint primary key)")

    assert fleet.objects(tenant) == before
    assert fleet.versions()[tenant] != version
    assert ("table", table) in [found[:2] for found in fleet.objects("tenant_template")]


def test_new_tenant_starts_at_the_latest_version(fleet: Fleet) -> None:
    version = fleet.register(f"create table {fleet.table()} (id bigint primary key)")

    tenant = fleet.tenant()

    assert fleet.versions()[tenant] == version
    assert fleet.drift(tenant) == []
    assert fleet.migrate(tenant)["outcome"] == "up_to_date"


def test_same_text_again_changes_nothing_and_another_text_is_refused(fleet: Fleet) -> None:
    statements = f"create table {fleet.table()} (id bigint primary key)"
    version = fleet.register(statements)
    again = "select tenancy.register_tenant_migration(%s, 'test', %s)"

    fleet.sql.execute(again, (version, statements))

    with pytest.raises(psycopg.Error, match="registered already, with another text"):
        fleet.sql.execute(again, (version, statements + " "))


def test_version_is_a_readable_name(fleet: Fleet) -> None:
    register = "select tenancy.register_tenant_migration(%s, 'named', 'select 1')"
    for version in ("", "_first", "Orders", "add orders", "add-orders", "größe", "a" * 64):
        message = ""
        try:
            fleet.sql.execute(register, (version,))
        except psycopg.errors.CheckViolation as refused:
            message = str(refused)
        assert "has no valid version" in message, version

    for version in ("3", "20300101000000", "add_orders", "a" * 63):
        fleet.sql.execute(register, (version,))
        assert fleet.latest() == version


def test_prefix_of_our_own_versions_is_refused_to_a_project(fleet: Fleet) -> None:
    latest = fleet.latest()
    with pytest.raises(psycopg.Error, match="prefix tenantry_, which is reserved") as refused:
        fleet.sql.execute(
            "select tenancy.register_tenant_migration('tenantry_0002', 'mine', 'select 1')"
        )
    assert "such as the timestamp that `tenantry new` writes" in str(refused.value)
    assert fleet.latest() == latest

    # Only the prefix is reserved.
    fleet.sql.execute(
        "select tenancy.register_tenant_migration('tenantry2', 'mine', 'select 1')"
    )
    assert fleet.latest() == "tenantry2"


def test_tenant_cannot_have_an_unregistered_version(fleet: Fleet) -> None:
    (tenant,) = fleet.tenants(1)
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="schema_version_fkey"):
        fleet.sql.execute(
            "update public.tenants set schema_version = '20991231000000'"
            " where schema_name = %s",
            (tenant,),
        )


EFFECTS_OUTSIDE = (
    ("create table broken (id nonsense)", 'type "nonsense" does not exist'),
    (
        "create table public.elsewhere ()",
        "changes objects outside the tenant's schema: table public.elsewhere",
    ),
    (
        "create schema elsewhere",
        "changes objects outside the tenant's schema: schema elsewhere",
    ),
    (
        "create trigger planted before insert on public.tenants"
        " for each row execute function tenancy.tg_settings__stamp()",
        "changes objects outside the tenant's schema: trigger planted",
    ),
    (
        "create publication planted",
        "changes objects outside the tenant's schema: publication planted",
    ),
    (
        "alter default privileges grant select on tables to anon",
        "changes objects outside the tenant's schema: default privileges for role postgres",
    ),
    (
        "do $$ begin if current_schema() !~ 'template' then"
        " create type odd as enum (); end if; end $$",
        "no tenant could be created: a new tenant would differ from the reference schema:"
        " type odd.",
    ),
    (
        "create table leaving (id uuid references auth.users (id))",
        "references a table outside the tenant's schema",
    ),
    ("set search_path = public", "must not set search_path"),
    ("set lock_timeout = '3s'", "leaves parameters changed: lock_timeout"),
    ("set role anon", "cannot set parameter"),
    ("commit", "transaction commands"),
    (
        "create materialized view copies as select * from users",
        "nor a view with security_invoker",
    ),
    (
        "create view open_entry_point as select * from users",
        "is not a view with security_invoker",
    ),
    ("create sequence loose", "Write: alter sequence loose owned by <table>.<column>"),
    ("alter table users add column x_mine text", "has the prefix x_"),
    ("alter table users add column plan text not null", 'null value in column "plan"'),
    ("alter table users alter email set not null", 'null value in column "email"'),
    (
        "alter table users rename email to mail",
        'column "email" of relation "users" does not',
    ),
    ("drop table tenant_template.users", "names the reference schema"),
)


def test_migration_with_effects_outside_the_tenant_is_refused(fleet: Fleet) -> None:
    latest, before = fleet.latest(), fleet.objects("tenant_template")
    for statements, reason in EFFECTS_OUTSIDE:
        message = ""
        try:
            fleet.register(statements)
        except psycopg.Error as refused:
            message = str(refused)
        assert reason in message, statements
        assert fleet.latest() == latest, statements
    assert fleet.objects("tenant_template") == before


def test_value_added_to_an_enum_is_used_in_a_new_type(fleet: Fleet) -> None:
    mood, table = f"mood_{fleet.table()}", fleet.table()
    fleet.register(
        f"create type {mood} as enum ('low', 'fair');"
        f"create table {table} (id bigint primary key, mood {mood} not null default 'fair')"
    )
    behind = fleet.tenant()
    fleet.register(f"alter type {mood} add value 'high'")

    message = refusal(fleet, f"alter table {table} alter mood set default 'high'")
    assert 'unsafe use of new value "high"' in message
    assert "Make a new type of all values" in message

    fleet.register(
        f"create type {mood}_2 as enum ('low', 'fair', 'high');"
        f"alter table {table} alter mood drop default,"
        f" alter mood type {mood}_2 using mood::text::{mood}_2,"
        f" alter mood set default 'high';"
        f"drop type {mood}; alter type {mood}_2 rename to {mood}"
    )
    assert drift(fleet, fleet.tenant()) == []
    for _ in range(2):
        fleet.sql.execute("select public.migrate_tenant(%s)", (behind,))
    assert fleet.versions()[behind] == fleet.latest()
    assert drift(fleet, behind) == []


def drift(fleet: Fleet, tenant: str) -> list[dict[str, Any]]:
    """Uses SQL, because PostgREST may fail to read its schema cache while a type is dropped."""
    return fleet.sql.execute("select * from public.get_schema_drift(%s)", (tenant,)).fetchall()


def names(fleet: Fleet, table: str) -> list[str]:
    rows = fleet.sql.execute(f"table public.{table} order by name".encode())
    return [row["name"] for row in rows]


def test_migration_that_fails_in_a_second_schema_is_refused(fleet: Fleet) -> None:
    shared = fleet.table()
    fleet.sql.execute(f"create table public.{shared} (name text primary key)".encode())
    row = f"insert into public.{shared} values (%s)"  # noqa: S608

    message = refusal(fleet, row % "'once'")
    assert "no tenant could be created: duplicate key" in message
    assert "Key (name)=(once) already exists." in message
    assert names(fleet, shared) == []

    # One row for each schema is allowed. The tenant that is rolled back leaves no row.
    fleet.register(row % "current_schema()")
    tenant = fleet.tenant()
    assert names(fleet, shared) == sorted([tenant, "tenant_template"])
    assert [*fleet.versions()] == [tenant]


def test_migration_is_registered_if_creation_was_impossible_before(fleet: Fleet) -> None:
    shared, table = fleet.table(), fleet.table()
    fleet.sql.execute(f"create table public.{shared} ()".encode())
    fleet.register(f"alter table public.{shared} disable trigger user")
    fleet.sql.execute(f"drop table public.{shared}".encode())
    warnings: list[str] = []

    def keep(notice: psycopg.errors.Diagnostic) -> None:
        # Replaying the migrations of other tests causes notices.
        if notice.severity_nonlocalized == "WARNING":
            warnings.append(notice.message_primary or "")

    fleet.sql.add_notice_handler(keep)

    fleet.register(f"create table {table} (id bigint primary key)")
    fleet.sql.remove_notice_handler(keep)

    assert len(warnings) == 1
    assert "there was a problem, too: no tenant could be created: relation" in warnings[0]
    fleet.sql.execute(f"create table public.{shared} ()".encode())
    assert drift(fleet, fleet.tenant()) == []


def test_no_tenant_table_is_published(fleet: Fleet) -> None:
    name = fleet.table()
    fleet.sql.execute(f"create publication {name}".encode())

    message = refusal(fleet, f"alter publication {name} add table settings")

    assert f"changes objects outside the tenant's schema: publication {name}" in message


def test_users_may_get_columns_that_need_no_value(fleet: Fleet) -> None:
    note, plan = fleet.table(), fleet.table()
    fleet.register(
        f"alter table users add column {note} text,"
        f" add column {plan} text not null default 'free'"
    )
    tenant = fleet.tenant()

    member = fleet.member(tenant, "read")

    [made] = fleet.query_as(member, "ensure_user_profile", schema_name=tenant)
    assert made["is_new"] is True


def test_routine_declared_callable_must_exist(fleet: Fleet) -> None:
    assert "declares routines callable that do not exist: nobody" in refusal(
        fleet, "select 1", "nobody"
    )


def test_null_is_no_name_of_a_callable_routine(fleet: Fleet) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="names null as a callable routine"):
        fleet.sql.execute(
            "select tenancy.register_tenant_migration("
            "'null_routine', 'null', 'select 1', array[null])"
        )


def test_overload_of_a_callable_routine_must_be_declared(fleet: Fleet) -> None:
    name = f"f_{fleet.table()}"
    fleet.register(f"create function {name}() returns int return 1", name)
    other = f"create function {name}(a int) returns int return a"

    assert f"under a name that the API may already call: {name}" in refusal(fleet, other)

    fleet.register(other, name)
    # Replacing a routine adds no overload.
    fleet.register(f"create or replace function {name}() returns int return 2")


def test_new_writes_a_migration_without_statements(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrations = tmp_path / "supabase/migrations"
    migrations.mkdir(parents=True)
    (tmp_path / "supabase/config.toml").touch()
    monkeypatch.chdir(tmp_path)
    unprepared = CliRunner().invoke(main, ["new", "add_orders"])
    assert (unprepared.exit_code, "`tenantry init` first" in unprepared.output) == (1, True)
    (migrations / "20200101000000_tenantry_0_1_0.sql").touch()

    begun = CliRunner().invoke(main, ["new", "add_orders"])

    assert begun.exit_code == 0, begun.output
    [_, path] = sorted(migrations.iterdir())
    version, name = path.stem.split("_", 1)
    assert name == "add_orders"
    assert f"register_tenant_migration('{version}', 'add_orders', $tenant$" in path.read_text()
    refused = CliRunner().invoke(main, ["new", "Add orders"])
    assert refused.exit_code == 1


def test_empty_migration_is_refused(fleet: Fleet) -> None:
    before = fleet.latest()

    with pytest.raises(psycopg.errors.RaiseException, match="is empty: fill it in"):
        fleet.sql.execute(tenant_migration("20270120080000", "add_orders").encode())

    assert fleet.latest() == before


def test_text_that_the_command_writes_is_registered(fleet: Fleet) -> None:
    table, version = fleet.table(), "20270120090000"
    text = tenant_migration(version, "add_orders").replace(
        "$tenant$\n\n", f"$tenant$\ncreate table {table} (id bigint primary key);\n"
    )

    fleet.sql.execute(text.encode())

    assert fleet.latest() == version
    assert ("table", table) in [found[:2] for found in fleet.objects("tenant_template")]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ("backfill('a1', 'a', 'select 1', 0)", "batch must be 1 to 1000000 rows, not 0"),
        ("backfill('a1', 'a', 'select 1', 1, null)", "audit_rows must be true or false"),
        (
            "migration('a1', 'a', 'select 1', '{}', -1)",
            "limit_seconds must be 1 to 3600, not -1",
        ),
        ("migration('a1', 'a', 'select 1', '{}', null)", "1 to 3600, not null"),
    ],
)
def test_impossible_number_is_refused_with_what_is_possible(
    fleet: Fleet, call: str, sentence: str
) -> None:
    with pytest.raises(
        psycopg.errors.CheckViolation, match=f"Tenant migration a1: .*{sentence}"
    ):
        fleet.sql.execute(f"select tenancy.register_tenant_{call}".encode())
