"""Counts of what statements do. Unlike times, counts do not depend on the machine's load."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import psycopg
from psycopg.rows import scalar_row, tuple_row

# Rows returned by sequential scans and by index scans.
_ROWS_READ = """
select sum(pg_stat_get_xact_tuples_returned(o.oid))::bigint
from (
    select c.oid
    from unnest(array[
        'pg_attrdef', 'pg_attribute', 'pg_class', 'pg_constraint', 'pg_depend',
        'pg_description', 'pg_index', 'pg_namespace', 'pg_policy', 'pg_proc', 'pg_sequence',
        'pg_shdepend', 'pg_trigger', 'pg_type', 'public.tenants', 'public.user_schema_access',
        'auth.users'
    ]::regclass[]) t (oid)
    cross join lateral (
        select t.oid union all select i.indexrelid from pg_index i where i.indrelid = t.oid
    ) c
) o
"""


def rows_read(database: psycopg.Connection[Any]) -> int:
    """Rows that the catalog, the registry and the users of Auth have returned here."""
    with database.cursor(row_factory=scalar_row) as cursor:
        cursor.execute(_ROWS_READ)
        return int(cursor.fetchone() or 0)


def rows_read_by_each(
    database: psycopg.Connection[Any],
    tenants: Iterable[str],
    operation: Callable[[str], object],
) -> list[int]:
    """Rows read for each tenant but the first, for which the session makes its plans.

    With few tenants, as in tests, the planner prefers sequential scans. They are disabled, so
    that a plan uses an index where one exists.
    """
    database.execute("set local enable_seqscan = off")
    counts = []
    for tenant in tenants:
        operation(tenant)
        counts.append(rows_read(database))
    return [later - earlier for earlier, later in itertools.pairwise(counts)]


def calls(database: psycopg.Connection[Any]) -> Counter[str]:
    """How often each function has run in this transaction, from `set track_functions` on."""
    with database.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(
            "select funcname, sum(calls)::integer from pg_stat_xact_user_functions group by 1"
        )
        return Counter(dict(rows))
