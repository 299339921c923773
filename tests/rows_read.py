"""What statements read, counted: a cost that a busy machine does not change."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import scalar_row

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
