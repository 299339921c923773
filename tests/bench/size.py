"""`python -m tests.bench.size`: how large a project can get, measured while one grows."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import psutil
import psycopg

from tenantry_cli.doctor.cache_load import measure_cache_load
from tenantry_cli.emulator.stack import Stack
from tenantry_cli.project import find_project

from .databases import new_name

_CREATORS = 2
_ROUNDS = 5
_MB = 1024 * 1024
_HEAD = (
    "| tenants | created in | a creation | cache load | PostgREST | a loader | locks of a dump "
    "| doctor |\n|--:|--:|--:|--:|--:|--:|--:|--:|"
)


@dataclass(frozen=True)
class Size:
    tenants: int
    # Seconds since the size before this one.
    growth: float
    # Milliseconds, the median of some.
    creation: float
    load: float | None
    # Megabytes, the second of PostgREST's largest connection, which loads its schema cache.
    postgrest: float
    connection: float
    needed_locks: int
    available_locks: int
    # Seconds.
    doctor: float

    @property
    def row(self) -> str:
        load = "–" if self.load is None else f"{self.load / 1000:.1f} s"
        return (
            f"| {self.tenants:,} | {self.growth:.0f} s | {self.creation:.0f} ms | {load} "
            f"| {self.postgrest:.0f} MB | {self.connection:.0f} MB "
            f"| {self.needed_locks:,} of {self.available_locks:,} | {self.doctor:.0f} s |"
        )


def _create(session: psycopg.Connection[tuple[Any, ...]]) -> float:
    begun = time.perf_counter()
    session.execute("select public.create_tenant_schema(%s)", (new_name(),))
    return time.perf_counter() - begun


def _grow(url: str, missing: int) -> float:
    """Creates tenants in two sessions as fast as they can. Returns the seconds."""

    def create(count: int) -> None:
        with psycopg.connect(url, autocommit=True) as session:
            for _ in range(count):
                _create(session)

    begun = time.perf_counter()
    with ThreadPoolExecutor(_CREATORS) as creators:
        shares = [missing // _CREATORS, missing - missing // _CREATORS]
        for done in [creators.submit(create, share) for share in shares]:
            done.result()
    return time.perf_counter() - begun


def _doctor(stack: Stack) -> float:
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "tenantry_cli", "doctor", "--json"],
        env={
            **os.environ,
            "PYTHONPATH": str(find_project().root / "functions"),
            "SUPABASE_URL": stack.api_url,
            "SUPABASE_ANON_KEY": stack.anon_key,
            "SUPABASE_SERVICE_ROLE_KEY": stack.service_role_key,
            "SUPABASE_DB_URL": stack.db_url,
        },
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return time.perf_counter() - begun


def _private(pid: int) -> float:
    """Megabytes of memory that a process has alone (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024 / _MB
    raise RuntimeError(f"Process {pid} has no RssAnon.")


def _measure(stack: Stack, session: psycopg.Connection[tuple[Any, ...]], size: int) -> Size:
    row = session.execute("select count(*) from public.tenants").fetchone()
    assert row is not None
    growth = _grow(stack.db_url, max(0, size - _ROUNDS - row[0]))
    creation = statistics.median(_create(session) for _ in range(_ROUNDS))
    loads = [measure_cache_load(stack.db_url) for _ in range(3)]
    seen = [load for load in loads if load is not None]
    postgrest = max(
        _private(child.pid)
        for child in psutil.Process().children(recursive=True)
        if "postgrest" in child.name()
    )
    backends = session.execute(
        "select a.pid from pg_stat_activity a where a.usename = 'authenticator'"
    )
    connection = max(_private(pid) for (pid,) in backends)
    locks = session.execute("select needed, available from tenancy.dump_locks()").fetchone()
    assert locks is not None
    return Size(
        tenants=size,
        growth=growth,
        creation=creation * 1000,
        load=statistics.median(seen) if seen else None,
        postgrest=postgrest,
        connection=connection,
        needed_locks=locks[0],
        available_locks=locks[1],
        doctor=_doctor(stack),
    )


@click.command()
@click.option("--tenants", default="10,1000,3000,5000", show_default=True, help="The sizes.")
@click.option(
    "--minutes", default=20.0, show_default=True, help="No further size begins after this time."
)
def main(tenants: str, minutes: float) -> None:
    """Grows a project in a temporary emulator, and prints a row for each size."""
    begun = time.monotonic()
    with (
        Stack.start(port=None, ephemeral=True) as stack,
        psycopg.connect(stack.db_url, autocommit=True) as session,
    ):
        click.echo(_HEAD)
        for size in sorted(int(size) for size in tenants.split(",")):
            if time.monotonic() - begun > minutes * 60:
                click.echo(f"{size:,} tenants were left out: the time is over.", err=True)
                break
            click.echo(_measure(stack, session, size).row)
        for seconds, count in session.execute("select * from tenancy.cache_load_forecast()"):
            click.echo(f"A load takes {seconds} s with {count:,} tenants.")
        row = session.execute("select most_tenants from tenancy.dump_locks()").fetchone()
        if row is not None and row[0] is not None:
            click.echo(f"A dump of everything runs out of locks with {row[0]:,} tenants.")


if __name__ == "__main__":
    main()
