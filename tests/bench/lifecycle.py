"""Making, closing and leaving: what SQL alone costs, with few tenants and with a crowd."""

from __future__ import annotations

import psycopg

from .handwritten import script
from .places import Place, new_name
from .results import Results
from .rounds import Action, by_turns

_INSPECTIONS = {
    "get_schema_tables": "select public.get_schema_tables(%s)",
    "get_table_columns": "select public.get_table_columns(%s, 'users')",
    "get_table_foreign_keys": "select public.get_table_foreign_keys(%s, 'notes')",
    "get_schema_summary": "select public.get_schema_summary(%s)",
}


def measure_growth(results: Results, crowd: Place, few: Place, rounds: int, last: bool) -> None:
    """Rows 1, 4, 5 and 6 at the crowd's present size; `last` puts them into the table."""
    tenants = len(crowd.names())

    def compare(
        number: int, measured: str, actions: dict[str, Action], bar: float, repeats: int
    ) -> None:
        series = by_turns(actions, rounds=rounds, repeats=repeats, warm_up=3)
        results.grown(measured, tenants, series["crowd"], series["few"])
        if last:
            size = f"{tenants:,} tenants ÷ 10"
            results.ratio(number, f"{measured}, {size}", series["crowd"], series["few"], bar)

    places = {"crowd": crowd, "few": few}
    homes = {name: _home(place) for name, place in places.items()}
    compare(
        1,
        "create_tenant_schema",
        {name: creation(place) for name, place in places.items()},
        1.15,
        repeats=5,
    )
    compare(
        4,
        "suspend and activate",
        {name: _closing(place, homes[name]) for name, place in places.items()},
        1.2,
        repeats=8,
    )
    for inspection, query in _INSPECTIONS.items():
        compare(
            5,
            inspection,
            {
                name: _asking(place, query, homes[name], times=5)
                for name, place in places.items()
            },
            1.2,
            repeats=8,
        )
    compare(
        6,
        "delete one auth user",
        {name: _leaving(place, homes[name]) for name, place in places.items()},
        1.3,
        repeats=15,
    )


def measure_script(results: Results, few: Place, rounds: int) -> None:
    """Row 2: ours, and the same objects by a script that knows them all."""
    by_hand = script(few)

    def write() -> float:
        name = new_name()
        statements = by_hand.replace("{schema}", name)
        begun = few.clock()
        few.sql.execute(statements.encode())
        taken = few.clock() - begun
        few.sql.execute(f"drop schema {name} cascade".encode())
        few.sql.execute("delete from public.tenants where schema_name = %s", (name,))
        return taken

    series = by_turns(
        {"ours": creation(few), "script": write}, rounds=rounds, repeats=5, warm_up=3
    )
    results.ratio(
        2,
        "create_tenant_schema ÷ a hand-written script of the same objects",
        series["ours"],
        series["script"],
        1.5,
    )


def measure_large_tenant(results: Results, few: Place, rounds: int) -> None:
    """Row 4 again: how the cost of closing follows the number of a tenant's tables."""
    large, small = few.create(), few.create()
    with few.sql.transaction():
        for number in range(297):
            few.sql.execute(
                f"create table {large}.t{number} (id bigint primary key, body text)".encode()
            )
            few.sql.execute("select tenancy.enable_tenant_table(%s, %s)", (large, f"t{number}"))
            if number % 50 == 0:
                few.sql.execute("select tenancy.apply_tenant_privileges(%s)", (large,))
        few.sql.execute("select tenancy.apply_tenant_privileges(%s)", (large,))
    few.settle()
    series = by_turns(
        {"large": _closing(few, large), "small": _closing(few, small)},
        rounds=rounds,
        repeats=3,
        warm_up=2,
    )
    results.ratio(
        4,
        "suspend and activate, a tenant of 300 tables ÷ of 3",
        series["large"],
        series["small"],
        10,
    )
    few.remove(small)
    few.remove(large)


def measure_migrations(results: Results, many: Place, single: Place, rounds: int) -> None:
    """Row 13: thirty tenant migrations to replay, or one with the same tables."""
    tables = [
        f"create table orders_{n} (id bigint generated always as identity primary key,"
        " body text not null, amount numeric(12, 2), placed_at timestamptz default now());"
        for n in range(30)
    ]
    register = "select tenancy.register_tenant_migration(%s, %s, %s)"
    for number, table in enumerate(tables, 1):
        many.sql.execute(register, (f"orders_{number}", f"orders_{number}", table))
    single.sql.execute(register, ("orders", "orders", "\n".join(tables)))
    series = by_turns(
        {"many": creation(many), "single": creation(single)},
        rounds=rounds,
        repeats=3,
        warm_up=2,
    )
    results.ratio(
        13,
        "create_tenant_schema with 30 tenant migrations ÷ the same tables in one",
        series["many"],
        series["single"],
        None,
    )


def measure_audit(results: Results, few: Place, rounds: int) -> None:
    """Row 12: one UPDATE of 10,000 rows, audited and not."""
    tenant = few.create()
    actions: dict[str, Action] = {}
    for table, audited in (("audited", True), ("unaudited", False)):
        name = f"{tenant}.{table}"
        for statement in (
            f"create table {name} (id bigint primary key, body text, amount numeric,"
            " placed_at timestamptz)",
            f"insert into {name} select i, md5(i::text), i, now()"
            " from generate_series(1, 10000) i",
        ):
            few.sql.execute(statement.encode())
        few.sql.execute(
            "select tenancy.enable_tenant_table(%s, %s, audited => %s)",
            (tenant, table, audited),
        )
        actions[table] = _update(few, tenant, name)
    series = by_turns(actions, rounds=rounds, repeats=3, warm_up=2)
    results.ratio(
        12,
        "UPDATE of 10,000 rows in one statement, audited ÷ unaudited",
        series["audited"],
        series["unaudited"],
        4,
    )
    few.remove(tenant)


def creation(place: Place) -> Action:
    """One tenant more; removed again, which does not count."""

    def create() -> float:
        name = new_name()
        begun = place.clock()
        place.create(name)
        taken = place.clock() - begun
        place.remove(name)
        return taken

    return create


def _closing(place: Place, tenant: str) -> Action:
    def close_and_open() -> float:
        begun = place.clock()
        place.sql.execute("select public.suspend_tenant(%s)", (tenant,))
        place.sql.execute("select public.activate_tenant(%s)", (tenant,))
        return place.clock() - begun

    return close_and_open


def _asking(place: Place, query: str, tenant: str, times: int) -> Action:
    def ask() -> float:
        begun = place.clock()
        for _ in range(times):
            place.sql.execute(query.encode(), (tenant,)).fetchall()
        return (place.clock() - begun) / times

    return ask


def _leaving(place: Place, tenant: str) -> Action:
    """A user with a grant and a profile, deleted as Auth does it."""
    auth = psycopg.connect(
        place.stack.postgres.url(place.database, "supabase_auth_admin"), autocommit=True
    )

    def leave() -> float:
        user_id = place.user()
        place.sql.execute("select public.grant_schema_access(%s, %s)", (tenant, user_id))
        place.sql.execute("select public.create_user_profile(%s, %s)", (tenant, user_id))
        begun = place.clock(auth)
        auth.execute("delete from auth.users where id = %s", (user_id,))
        return place.clock(auth) - begun

    return leave


def _update(place: Place, tenant: str, table: str) -> Action:
    def update() -> float:
        place.sql.execute(f"vacuum {table}".encode())
        place.sql.execute(f"vacuum {tenant}.audit_log".encode())
        begun = place.clock()
        place.sql.execute(f"update {table} set amount = amount + 1 where true".encode())
        return place.clock() - begun

    return update


def _home(place: Place) -> str:
    """The tenant that is asked about: neither the first nor the last, with a foreign key."""
    names = place.names()
    tenant = names[len(names) // 2]
    place.sql.execute(
        f"create table if not exists {tenant}.notes (id bigint primary key,"
        f" author uuid references {tenant}.users (id))".encode()
    )
    return tenant
