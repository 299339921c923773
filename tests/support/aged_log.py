"""Audit logs with old entries: the retention lets nobody prune young ones."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

from support.waiting import until

Row = dict[str, Any]

PLATFORM = "public"


def log_of(schema_name: str) -> Identifier:
    """The audit log of a tenant, or of the platform."""
    table = "admin_audit_log" if schema_name == PLATFORM else "audit_log"
    return Identifier(schema_name, table)


def age_entries(sql: psycopg.Connection[Row], schema_name: str, days: int = 100) -> None:
    """Makes the entries that no seal covers older, as if that many days had passed."""
    with sql.transaction():
        sql.execute(
            "select set_config('tenancy.maintaining', %s, true)",
            (log_of(schema_name).as_string().replace('"', ""),),
        )
        sql.execute(
            SQL(
                "update {} e set occurred_at = e.occurred_at - make_interval(days => %s)"
                " where not exists (select from tenancy.audit_seals s"
                " where s.schema_name = %s and s.entry_id = e.id)"
            ).format(log_of(schema_name)),
            (days, schema_name),
        )


def seal_everything(sql: psycopg.Connection[Row], schema_name: str) -> Row:
    """Seals until nothing is left: for a moment, older transactions of other tests may run."""
    left = SQL(
        "select from {} e where not exists (select from tenancy.audit_seals s"
        " where s.schema_name = %s and s.entry_id = e.id) limit 1"
    ).format(log_of(schema_name))
    seals: list[Row] = []

    def is_sealed() -> bool:
        seals.extend(
            sql.execute(
                "select * from public.seal_audit_log(nullif(%s, 'public'))", (schema_name,)
            )
        )
        return not sql.execute(left, (schema_name,)).fetchall()

    until(is_sealed)
    return seals[-1]
