"""Costs of creating, suspending and deleting in SQL alone, with few and with many tenants."""

from __future__ import annotations

from statistics import median

import psycopg

from .databases import Database, new_name
from .handwritten import script
from .results import Results
from .rounds import Action, alternating

# Tenants that are created and deleted before creations are compared.
_CHURNED = 50
_INSPECTIONS = {
    "get_schema_tables": "select public.get_schema_tables(%s)",
    "get_table_columns": "select public.get_table_columns(%s, 'users')",
    "get_table_foreign_keys": "select public.get_table_foreign_keys(%s, 'notes')",
    "get_schema_summary": "select public.get_schema_summary(%s)",
}


def measure_growth(
    results: Results, many: Database, few: Database, rounds: int, last: bool
) -> None:
    """Rows 1, 4, 5 and 6 with the present number of tenants; `last` adds them to the table."""
    tenants = len(many.names())

    def compare(
        number: int, measured: str, actions: dict[str, Action], bar: float, repeats: int
    ) -> None:
        series = alternating(actions, rounds=rounds, repeats=repeats, warm_up=3)
        results.grown(measured, tenants, series["many"], series["few"])
        if last:
            size = f"{tenants:,} tenants ÷ 10"
            results.ratio(number, f"{measured}, {size}", series["many"], series["few"], bar)

    databases = {"many": many, "few": few}
    tenants_inspected = {
        name: _typical_tenant(database) for name, database in databases.items()
    }
    # Both have the same number of dead rows in their catalogs, which autovacuum removes later.
    for database in databases.values():
        database.churn(_CHURNED)
    compare(
        1,
        "create_tenant_schema",
        {name: creation(database) for name, database in databases.items()},
        1.15,
        repeats=5,
    )
    if last:
        written = {name: _written(database) for name, database in databases.items()}
        results.quantity(
            1,
            f"create_tenant_schema, WAL with {tenants:,} tenants",
            written["many"] / 1000,
            " KB",
            None,
            f"{written['few'] / 1000:.0f} KB with 10",
        )
    compare(
        4,
        "suspend and activate",
        {
            name: _suspension(database, tenants_inspected[name])
            for name, database in databases.items()
        },
        1.2,
        repeats=8,
    )
    for inspection, query in _INSPECTIONS.items():
        compare(
            5,
            inspection,
            {
                name: _inspection(database, query, tenants_inspected[name], times=5)
                for name, database in databases.items()
            },
            1.2,
            repeats=8,
        )
    compare(
        6,
        "delete one auth user",
        {
            name: _user_deletion(database, tenants_inspected[name])
            for name, database in databases.items()
        },
        1.3,
        repeats=15,
    )


def measure_script(results: Results, few: Database, rounds: int) -> None:
    """Row 2: create_tenant_schema, and a script that creates the same objects."""
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

    series = alternating(
        {"ours": creation(few), "script": write}, rounds=rounds, repeats=5, warm_up=3
    )
    results.ratio(
        2,
        "create_tenant_schema ÷ a hand-written script of the same objects",
        series["ours"],
        series["script"],
        1.3,
    )


def measure_pool(results: Results, few: Database, rounds: int) -> None:
    """Row 14: create_tenant_schema with a ready tenant in the pool, five in a row, and without."""
    repeats, warm_up, in_a_row = 2, 2, 5
    few.sql.execute(
        "update tenancy.platform_settings set pool_size = %s, pool_wait_seconds = 0 where true",
        (in_a_row * repeats * (rounds + warm_up),),
    )
    while few.one("select missing from public.refill_tenant_pool()"):
        pass
    names = []

    def take() -> float:
        # Usually no DDL comes between two callers who take a tenant.
        begun = few.clock()
        for _ in range(in_a_row):
            names.append(few.one("select schema_name from public.create_tenant_schema()"))
        return (few.clock() - begun) / in_a_row

    series = alternating(
        {"taken": take, "created": creation(few)},
        rounds=rounds,
        repeats=repeats,
        warm_up=warm_up,
    )
    few.sql.execute("update tenancy.platform_settings set pool_size = 0 where true")
    while few.one("select surplus from public.refill_tenant_pool()"):
        pass
    for name in names:
        few.remove(name)
    results.ratio(
        14,
        "create_tenant_schema with a ready tenant in the pool, five in a row ÷ without a pool",
        series["taken"],
        series["created"],
        0.15,
    )


def measure_large_tenant(results: Results, few: Database, rounds: int) -> None:
    """Row 4, second part: the cost of suspending by the number of a tenant's tables."""
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
    series = alternating(
        {"large": _suspension(few, large), "small": _suspension(few, small)},
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


def measure_migrations(
    results: Results, thirty: Database, single: Database, rounds: int
) -> None:
    """Row 13: creation with thirty tenant migrations, or with one of the same tables."""
    tables = [
        f"create table orders_{n} (id bigint generated always as identity primary key,"
        " body text not null, amount numeric(12, 2), placed_at timestamptz default now());"
        for n in range(30)
    ]
    register = "select tenancy.register_tenant_migration(%s, %s, %s)"
    for number, table in enumerate(tables, 1):
        thirty.sql.execute(register, (f"orders_{number}", f"orders_{number}", table))
    single.sql.execute(register, ("orders", "orders", "\n".join(tables)))
    series = alternating(
        {"thirty": creation(thirty), "single": creation(single)},
        rounds=rounds,
        repeats=3,
        warm_up=2,
    )
    results.ratio(
        13,
        "create_tenant_schema with 30 tenant migrations ÷ the same tables in one",
        series["thirty"],
        series["single"],
        None,
    )


def measure_audit(results: Results, few: Database, rounds: int) -> None:
    """Row 12: one UPDATE of 10,000 rows, audited and unaudited."""
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
    series = alternating(actions, rounds=rounds, repeats=3, warm_up=2)
    results.ratio(
        12,
        "UPDATE of 10,000 rows in one statement, audited ÷ unaudited",
        series["audited"],
        series["unaudited"],
        4,
    )
    few.remove(tenant)


def creation(database: Database) -> Action:
    """Creates a tenant. Its removal is not part of the time."""

    def create() -> float:
        name = new_name()
        begun = database.clock()
        database.create(name)
        taken = database.clock() - begun
        database.remove(name)
        return taken

    return create


def _written(database: Database) -> float:
    """Bytes of write-ahead log that a creation writes."""
    amounts = []
    for _ in range(9):
        begun = database.one("select pg_current_wal_insert_lsn()::text")
        tenant = database.create()
        amounts.append(
            float(database.one("select pg_current_wal_insert_lsn() - %s::pg_lsn", begun))
        )
        database.remove(tenant)
    return median(amounts)


def _suspension(database: Database, tenant: str) -> Action:
    def suspend_and_activate() -> float:
        begun = database.clock()
        database.sql.execute("select public.suspend_tenant(%s)", (tenant,))
        database.sql.execute("select public.activate_tenant(%s)", (tenant,))
        return database.clock() - begun

    return suspend_and_activate


def _inspection(database: Database, query: str, tenant: str, times: int) -> Action:
    def inspect() -> float:
        begun = database.clock()
        for _ in range(times):
            database.sql.execute(query.encode(), (tenant,)).fetchall()
        return (database.clock() - begun) / times

    return inspect


def _user_deletion(database: Database, tenant: str) -> Action:
    """A user with a grant and a profile, deleted as Auth does it."""
    auth = psycopg.connect(
        database.stack.postgres.url(database.name, "supabase_auth_admin"), autocommit=True
    )

    def delete() -> float:
        user_id = database.user()
        database.sql.execute("select public.grant_schema_access(%s, %s)", (tenant, user_id))
        database.sql.execute("select public.create_user_profile(%s, %s)", (tenant, user_id))
        begun = database.clock(auth)
        auth.execute("delete from auth.users where id = %s", (user_id,))
        return database.clock(auth) - begun

    return delete


def _update(database: Database, tenant: str, table: str) -> Action:
    def update() -> float:
        database.sql.execute(f"vacuum {table}".encode())
        database.sql.execute(f"vacuum {tenant}.audit_log".encode())
        begun = database.clock()
        database.sql.execute(f"update {table} set amount = amount + 1 where true".encode())
        return database.clock() - begun

    return update


def _typical_tenant(database: Database) -> str:
    """A tenant from the middle of the list, with a foreign key."""
    names = database.names()
    tenant = names[len(names) // 2]
    database.sql.execute(
        f"create table if not exists {tenant}.notes (id bigint primary key,"
        f" author uuid references {tenant}.users (id))".encode()
    )
    return tenant
