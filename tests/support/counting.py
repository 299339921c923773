"""What statements do, counted: a cost that a busy machine does not change."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import psycopg
from psycopg.rows import scalar_row, tuple_row

# Rows that came out of a table read in order, and out of its indexes.
_ROWS_READ = """
select sum(pg_stat_get_xact_tuples_returned(o.oid))::bigint
from (
    select c.oid
    from unnest(array[
        'pg_attrdef', 'pg_attribute', 'pg_class', 'pg_constraint', 'pg_depend',
        'pg_description', 'pg_index', 'pg_namespace', 'pg_policy', 'pg_proc', 'pg_sequence',
        'pg_shdepend', 'pg_trigger', 'pg_type', 'public.tenants', 'public.user_schema_access'
    ]::regclass[]) t (oid)
    cross join lateral (
        select t.oid union all select i.indexrelid from pg_index i where i.indrelid = t.oid
    ) c
) o
"""


def rows_read(database: psycopg.Connection[Any]) -> int:
    """Rows that the catalog and the registry have returned in this transaction."""
    with database.cursor(row_factory=scalar_row) as cursor:
        cursor.execute(_ROWS_READ)
        return int(cursor.fetchone() or 0)


def rows_read_by_each(
    database: psycopg.Connection[Any],
    tenants: Iterable[str],
    operation: Callable[[str], object],
) -> list[int]:
    """Rows read for each tenant but the first, with which the session makes its plans.

    Plans are made for as many tenants as there are, which in tests are few: one that could use
    an index is to do so.
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
