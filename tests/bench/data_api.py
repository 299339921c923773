"""Costs at the Data API: a new tenant's first reply, the memory of a connection."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

from .databases import Caller, Database, data_api, new_name, until
from .results import Results
from .rounds import Action, alternating

# Row 11: reads per second on one connection, and the lifetime of that connection.
_PACE = 100
_LIFETIME_SECONDS = 2


def measure_first_reply(
    results: Results, many: Database, few: Database, rounds: int, last: bool
) -> None:
    """Row 8: from the call that creates a tenant to the first reply from the tenant."""
    tenants = len(many.names())
    databases = {"many": many, "few": few}
    created: dict[str, list[str]] = {name: [] for name in databases}
    writes: dict[str, list[float]] = {name: [] for name in databases}

    with ExitStack() as cleanup:
        callers = {}
        for name, database in databases.items():
            api = cleanup.enter_context(data_api(database))
            callers[name] = Caller(api.port, database.stack.service_role_key)

        def first_reply(name: str) -> float:
            caller, tenant = callers[name], new_name()
            created[name].append(tenant)
            begun = time.perf_counter()
            caller.post("/rpc/create_tenant_schema", {"schema_name": tenant})
            until(lambda: caller.request("GET", "/settings", profile=tenant)[0] == 200)
            taken = time.perf_counter() - begun

            # The next round waits until PostgREST has reloaded its schema cache, which occupies
            # a core. From then on PostgREST accepts writes.
            def accepted() -> bool:
                time.sleep(0.01)
                body = {"key": "first"}
                status, _ = caller.request("POST", "/settings", profile=tenant, body=body)
                return status == 201

            until(accepted)
            writes[name].append(time.perf_counter() - begun)
            return taken

        actions: dict[str, Action] = {
            name: (lambda name=name: first_reply(name))  # type: ignore[misc]
            for name in databases
        }
        series = alternating(actions, rounds=rounds, warm_up=1)
    measured = "create to first 200"
    results.grown(measured, tenants, series["many"], series["few"])
    if last:
        size = f"{tenants:,} tenants ÷ 10"
        results.ratio(
            8, f"{measured} on the Data API, {size}", series["many"], series["few"], 2
        )
        results.remarks.append(
            f"From create to the first write: {sorted(writes['many'])[rounds // 2]:.2f} s with"
            f" {tenants:,} tenants, {sorted(writes['few'])[rounds // 2]:.2f} s with 10."
        )
    for name, database in databases.items():
        for tenant in created[name]:
            database.remove(tenant)


def measure_memory(results: Results, many: Database, touched: int) -> None:
    """Row 11: the memory of one database connection after requests to many tenants."""
    user_id = many.user()
    names = many.names()[:touched]
    many.sql.execute(
        "insert into public.user_schema_access (user_id, schema_name, access_level)"
        " select %s, unnest(%s::text[]), 'read'",
        (user_id, names),
    )
    many.settle()
    token = many.token(user_id)

    def grown(pace: float | None, **settings: str) -> tuple[float, str]:
        """Megabytes by which the largest connection grew after the first tenant."""
        with data_api(
            many,
            application="bench_memory",
            PGRST_DB_POOL="1",
            PGRST_DB_POOL_MAX_IDLETIME="1",
            **settings,
        ) as api:
            caller = Caller(api.port, token)
            # The session that loaded the schema cache has free memory left, which would hide
            # the growth. The pool replaces the session once it is idle.
            old = _sessions(many)

            def is_replaced() -> bool:
                time.sleep(1.5)
                caller.get("/settings", profile=names[0])
                return not _sessions(many) <= old

            until(is_replaced)
            for _ in range(20):
                caller.get("/settings", profile=names[0])
            before = largest = _largest(_sessions(many) - old)
            begun = time.monotonic()
            for number, name in enumerate(names, 1):
                caller.get("/settings", profile=name)
                if number % 10 == 0:
                    largest = max(largest, _largest(_sessions(many) - old))
                if pace is not None:
                    time.sleep(max(0, begun + number / pace - time.monotonic()))
            caller.close()
        note = f"from {before / 2**20:.1f} to {largest / 2**20:.1f} MB"
        return (largest - before) / 2**20, note

    measured = f"memory a connection grew by at most, {touched:,} tenants"
    unprepared = {"PGRST_DB_PREPARED_STATEMENTS": "false"}
    value, note = grown(_PACE, **unprepared, PGRST_DB_POOL_MAX_LIFETIME=str(_LIFETIME_SECONDS))
    results.quantity(
        11,
        f"{measured} at {_PACE} reads a second, db-prepared-statements = false,"
        f" db-pool-max-lifetime = {_LIFETIME_SECONDS}",
        value,
        " MB",
        5.0,
        note,
    )
    value, note = grown(None, **unprepared)
    results.quantity(
        11, f"{measured}, db-prepared-statements = false alone", value, " MB", None, note
    )
    value, note = grown(None)
    results.quantity(11, f"{measured}, neither", value, " MB", None, note)


def _sessions(database: Database) -> frozenset[int]:
    rows = database.sql.execute(
        "select pid from pg_stat_activity where datname = current_database()"
        " and application_name = 'bench_memory'"
    )
    return frozenset(pid for (pid,) in rows)


def _largest(sessions: frozenset[int]) -> int:
    """Bytes of private memory of the largest of these sessions (Linux)."""
    return max(map(_anonymous_bytes, sessions), default=0)


def _anonymous_bytes(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        # The session has ended meanwhile.
        return 0
    (line,) = (line for line in status.splitlines() if line.startswith("RssAnon:"))
    return int(line.split()[1]) * 1024
