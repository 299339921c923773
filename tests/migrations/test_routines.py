"""Routines of tenant migrations: the names in their bodies, and who may execute them."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from support.fleet import Fleet

HELPED = (
    "create function normalise(t text) returns text immutable"
    " language sql as 'select lower(t)';"
    "create function is_short(t text) returns boolean immutable"
    " language plpgsql {0}as 'begin return length(normalise(t)) < 9; end';"
)
TABLE = "create table items (id bigint generated always as identity primary key, name text{0});"
CALLERS = {
    "check": HELPED.format("") + TABLE.format(" check (is_short(name))"),
    "default": HELPED.format("") + TABLE.format(", is_new boolean default is_short('x')"),
    "generated column": HELPED.format("")
    + TABLE.format(", is_new boolean generated always as (is_short(name)) stored"),
    "index": HELPED.format("set search_path from current ")
    + TABLE.format("")
    + "create index on items (is_short(name));",
    "policy": HELPED.format("")
    + TABLE.format("")
    + "select tenancy.enable_tenant_table(current_schema(), 'items');"
    "create policy short on items as restrictive to authenticated using (is_short(name));",
    "view": HELPED.format("")
    + TABLE.format("")
    + "create view v with (security_invoker) as select is_short('x');",
    "condition of a trigger": HELPED.format("")
    + TABLE.format("")
    + "create trigger t before insert on items for each row when (is_short(new.name))"
    " execute function suppress_redundant_updates_trigger();",
    "domain": HELPED.format("")
    + "create domain short as text check (is_short(value));"
    + TABLE.format(", short short"),
}


def refusal(connection: psycopg.Connection, statements: str, *callable_routines: str) -> str:
    """The message alone, because the Supabase CLI prints neither details nor hints."""
    try:
        with connection.transaction():
            connection.execute(
                "select tenancy.register_tenant_migration('tried', 'test', %s, %s)",
                (statements, list(callable_routines)),
            )
            raise psycopg.Rollback
    except psycopg.Error as error:
        return error.diag.message_primary or ""
    return ""


def test_names_in_a_body_are_those_of_the_tenant(fleet: Fleet) -> None:
    """The schema of the project has tables of the same names."""
    behind, stock = fleet.tenant(), fleet.table()
    fleet.sql.execute(f"create table public.{stock} (n int)".encode())
    body = "language plpgsql {0} as 'begin insert into items values (1); return null; end'"
    routines = f"""
        create table items (n int); create table made (id int primary key);
        create function plain() returns trigger {body.format("")};
        create function wrong() returns trigger {body.format("set search_path = public")};
        create procedure sweep() language plpgsql as 'begin delete from items; end';
        create function count_them() returns bigint stable return (select count(*) from items);
        create trigger a after insert on made execute function plain();
        create trigger b after insert on made execute function wrong();
    """  # noqa: S608
    for name in ("made", "plain", "wrong", "sweep", "count_them"):
        routines = routines.replace(f" {name}", f" {stock}_{name}")
    fleet.register(routines.replace("items", stock), f"{stock}_count_them")
    assert fleet.migrate(behind)["outcome"] == "migrated"

    for tenant in (behind, fleet.tenant()):
        with psycopg.connect(fleet.address.db_url, autocommit=True) as outside:
            outside.execute(
                sql.SQL("insert into {} values (1)").format(
                    sql.Identifier(tenant, f"{stock}_made")
                )
            )
            count = sql.SQL("select {}()").format(sql.Identifier(tenant, f"{stock}_count_them"))
            assert outside.execute(count).fetchone() == (2,)
            outside.execute(
                sql.SQL("call {}()").format(sql.Identifier(tenant, f"{stock}_sweep"))
            )
            assert outside.execute(count).fetchone() == (0,)
        assert fleet.drift(tenant) == []
    assert fleet.sql.execute(f"table public.{stock}".encode()).fetchall() == []

    # A later definition is pinned, too, and a tenant whose routine is not differs.
    again = f"create or replace function {stock}_plain() returns trigger {body.format('')}"
    fleet.register(again.replace("items", stock))
    assert fleet.migrate(behind)["outcome"] == "migrated"
    assert fleet.drift(behind) == []
    routine = sql.Identifier(behind, f"{stock}_plain")
    fleet.sql.execute(sql.SQL("alter function {} reset search_path").format(routine))
    (found,) = fleet.drift(behind)
    assert (found["object_name"], found["difference"]) == (f"{stock}_plain()", "different")
    fleet.sql.execute(
        "select tenancy.repair_findings(%s, 'wrong routine', %s)",
        (behind, f"{behind}.{stock}_plain()"),
    )
    assert fleet.drift(behind) == []


def test_what_tables_call_is_executable_or_refused(fleet: Fleet) -> None:
    with psycopg.connect(fleet.address.db_url) as connection:
        connection.execute("set client_min_messages = error")
        for kind, statements in CALLERS.items():
            message = refusal(connection, statements)
            assert "calls the routine is_short(text)" in message, kind
            assert "array['is_short']" in message

        # The other routine is called in a body, where only a trial finds it.
        for kind in ("check", "view"):
            message = refusal(connection, CALLERS[kind], "is_short")
            assert "permission denied for function normalise" in message, (kind, message)
            assert "Name it in the fourth argument" in message
        everything = "".join(
            statements.replace("normalise", f"normalise_{number}")
            .replace("is_short", f"is_short_{number}")
            .replace("items", f"items_{number}")
            for number, statements in enumerate(CALLERS.values())
        )
        names = [
            f"{name}_{n}" for name in ("is_short", "normalise") for n in range(len(CALLERS))
        ]
        assert refusal(connection, everything, *names) == ""

        connection.execute("create schema app; grant usage on schema app to authenticated;")
        connection.execute("create function app.ok(t text) returns boolean return t <> 'no'")
        calls = TABLE.format(" check (app.ok(name))")
        assert refusal(connection, calls) == ""
        connection.execute("revoke execute on function app.ok from public")
        assert "grant execute on function app.ok(text) to" in refusal(connection, calls)
        connection.rollback()


def test_trial_finds_what_only_a_member_notices(fleet: Fleet) -> None:
    triggered = (
        TABLE.format("") + "create function tg() returns trigger language plpgsql as"
        " $$ begin {0} return new; end $$;"
        "create trigger t before insert on items for each row execute function tg();"
    )
    faults = {
        triggered.format("insert into activity values (1);"): 'relation "activity" does not',
        triggered.format("perform nothing();"): "function nothing() does not exist",
        triggered.format("perform from public.tenant_secrets;"): "permission denied for table",
        TABLE.format(", n int default ('x' || 1)::int"): 'column "n" of table "items"',
        HELPED.format("")
        + TABLE.format("")
        + "create index on items (is_short(name));": "search_path from current",
    }
    harmless = (
        triggered.format("if new.name is null then raise 'no name'; end if;"),
        triggered.format(
            "if current_user <> 'x' then raise 'x' using errcode = '42501'; end if;"
        ),
        TABLE.format(
            ", at date check (at > '2099-01-01'), other int not null references items"
        ),
    )
    with psycopg.connect(fleet.address.db_url) as connection:
        connection.execute("set client_min_messages = error")
        connection.execute("create table public.tenant_secrets ()")
        for statements, reason in faults.items():
            message = refusal(
                connection, statements, *(["is_short"] if "is_short" in statements else [])
            )
            assert reason in message, (statements, message)
        together = "".join(
            statements.replace("items", f"items_{number}").replace("tg()", f"tg_{number}()")
            for number, statements in enumerate(harmless)
        )
        assert refusal(connection, together) == ""

        warnings: list[str] = []
        connection.execute("set client_min_messages = warning")
        connection.add_notice_handler(lambda told: warnings.append(told.message_primary or ""))
        assert refusal(connection, triggered.format("raise 'never';")) == ""
        assert [w for w in warnings if 'inserted into table "items" in a trial: never' in w]
        connection.rollback()


@pytest.mark.parametrize("condition", ["author = auth.uid()", "id > 0"])
def test_policy_of_a_migration_stops_people_who_are_no_members(
    fleet: Fleet, condition: str
) -> None:
    """Without the guard, in SQL."""
    table = fleet.table()
    fleet.register(
        f"create table {table} (id int primary key, author uuid default auth.uid());"
        f"alter table {table} enable row level security;"
        f"create policy own on {table} to authenticated using ({condition})"
    )
    tenant = fleet.tenant()
    writer, reader, stranger = (
        fleet.member(tenant, "write"), fleet.member(tenant, "read"), fleet.person()
    )  # fmt: skip

    def attempts(user_id: object, number: int) -> tuple[int, int]:
        """How many rows the user inserts, and then sees."""
        with psycopg.connect(fleet.address.db_url) as connection:
            connection.execute(
                "select set_config('request.jwt.claim.sub', %s, true)", (str(user_id),)
            )
            connection.execute("set local role authenticated")
            relation = sql.Identifier(tenant, table)
            try:
                with connection.transaction():
                    made = connection.execute(
                        sql.SQL("insert into {} values (%s)").format(relation), (number,)
                    ).rowcount
            except psycopg.errors.InsufficientPrivilege:
                made = 0
            seen = connection.execute(sql.SQL("select from {}").format(relation)).rowcount
        return made, seen

    assert attempts(writer.id, 1) == (1, 1)
    assert attempts(reader.id, 2)[0] == 0
    assert attempts(stranger.id, 3) == (0, 0)
    fleet.sql.execute("select public.revoke_schema_access(%s, %s)", (tenant, writer.id))
    assert attempts(writer.id, 4) == (0, 0)
    assert fleet.drift(tenant) == []
