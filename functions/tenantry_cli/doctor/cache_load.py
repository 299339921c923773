"""How long PostgREST takes to load its schema cache, seen in the database while it loads."""

from __future__ import annotations

import time

import psycopg

from tenantry_cli.database import open_database

# PostgREST's other statements do not read the catalog. The view shows 1,024 bytes of each.
_LOADS = r"""
    select extract(epoch from clock_timestamp() - a.xact_start) * 1000 as milliseconds
    from pg_stat_activity a
    where a.datname = current_database()
        and a.usename = 'authenticator'
        and a.state <> 'idle'
        and a.xact_start >= %s
        and a.query ~ '\mpg_'
    order by a.xact_start
    limit 1
"""
_LISTENER = """
    select clock_timestamp()
    from pg_stat_activity a
    where a.datname = current_database()
        and a.usename = 'authenticator'
        and a.query ilike 'listen %'
    limit 1
"""
_INTERVAL_SECONDS = 0.01
_BEGINNING_SECONDS = 1.0
_LONGEST_SECONDS = 120.0


def measure_cache_load(db_url: str) -> int | None:
    """Milliseconds of one load, which are kept in the database.

    None if no PostgREST listens or no load was seen. A short one may end between two looks.
    """
    with open_database(db_url, autocommit=True) as session:
        listener = session.execute(_LISTENER).fetchone()
        if listener is None:
            return None
        session.execute("notify pgrst, 'reload schema'")
        milliseconds = _watch(session, listener[0])
        if milliseconds is not None:
            session.execute("select tenancy.record_cache_load(%s)", (milliseconds,))
    return milliseconds


def _watch(session: psycopg.Connection, since: object) -> int | None:
    begun = time.monotonic()
    longest: int | None = None
    while time.monotonic() - begun < _LONGEST_SECONDS:
        running = session.execute(_LOADS, (since,)).fetchone()
        if running is not None:
            longest = max(longest or 0, round(running[0]))
        elif longest is not None or time.monotonic() - begun > _BEGINNING_SECONDS:
            break
        time.sleep(_INTERVAL_SECONDS)
    return longest
