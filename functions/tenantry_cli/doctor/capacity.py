"""How many tenants a project holds, which the doctor says even if all is well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg.rows import dict_row

from tenantry_cli.database import open_database

# With ten to five thousand tenants, on two cores.
_ASSUMED_MILLISECONDS = 0.2
_CAPACITY = """
    select
        exists (select from tenancy.cache_load_forecast()) as is_measured,
        (
            select jsonb_agg(
                jsonb_build_object('seconds', f.limit_seconds, 'tenants', f.tenants)
                order by f.limit_seconds
            )
            from tenancy.cache_load_forecast(%s) f
        ) as cache_load_forecast,
        (select d.most_tenants from tenancy.dump_locks() d) as dump_locks_most_tenants
"""


@dataclass(frozen=True)
class Capacity:
    """The fields are keys of `--json`."""

    # Whether the forecast is one of this database. Otherwise the time of a table is assumed.
    is_measured: bool
    cache_load_forecast: list[dict[str, Any]] | None
    dump_locks_most_tenants: int | None

    def __str__(self) -> str:
        sentences = []
        if self.cache_load_forecast:
            times = ", ".join(
                f"{each['seconds']} s with {each['tenants']:,}"
                for each in self.cache_load_forecast
            )
            source = "" if self.is_measured else " (estimated, until there are 300 tables)"
            sentences.append(f"PostgREST loads its schema cache in {times} tenants{source}.")
        if self.dump_locks_most_tenants is not None:
            sentences.append(
                "A dump of everything runs out of locks with about "
                f"{self.dump_locks_most_tenants:,} tenants."
            )
        return " ".join(sentences)


def capacity_of(db_url: str) -> Capacity:
    with (
        open_database(db_url, autocommit=True) as session,
        session.cursor(row_factory=dict_row) as cursor,
    ):
        [row] = cursor.execute(_CAPACITY, (_ASSUMED_MILLISECONDS,)).fetchall()
    return Capacity(**row)
