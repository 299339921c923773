"""What a split would do: the tables in their order, the tenants, and what is in the way."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row

from tenantry_cli.errors import TenantryError

Database = psycopg.Connection[Any]

_MAPPING = re.compile(
    r"\s*(?P<table>[^()]+?)\s*\(\s*(?P<key>[^(),]+?)\s*,\s*(?P<name>[^(),]+?)\s*\)\s*"
)


@dataclass(frozen=True)
class Mapping:
    """A table of the project that says which schema belongs to a value."""

    table: str
    key: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Mapping:
        found = _MAPPING.fullmatch(text)
        if found is None:
            raise TenantryError(
                f"--tenants-from is {text!r}. Give a table with its key and the column of the "
                "schema names, such as 'public.organizations(id, slug)'."
            )
        return cls(**found.groupdict())


@dataclass(frozen=True)
class Finding:
    """What is in the way of a split, and what to do: a row of tenancy.split_findings."""

    kind: str
    object: str
    detail: str
    remediation: str

    @property
    def is_warning(self) -> bool:
        return self.kind.startswith("warning: ")


@dataclass(frozen=True)
class Share:
    """The rows of one tenant, in all tables."""

    value: str
    schema_name: str
    rows: dict[str, int]


@dataclass(frozen=True)
class Unmatched:
    """Rows that cannot go to a tenant."""

    table: str
    value: str | None
    rows: int
    reason: str


@dataclass
class Plan:
    tables: list[str]
    findings: list[Finding] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)
    unmatched: list[Unmatched] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(sum(share.rows.values()) for share in self.shares)

    @property
    def refused(self) -> list[Finding]:
        return [finding for finding in self.findings if not finding.is_warning]


def make_plan(
    database: Database,
    tables: tuple[str, ...],
    column: str,
    mapping: Mapping | None,
    *,
    deleting: bool,
) -> Plan:
    """Counts the rows. Changes nothing."""
    names = list(dict.fromkeys(_table(database, table) for table in tables))
    # A mapping that does not exist is said before the rows are counted.
    source = None if mapping is None else _table(database, mapping.table)
    order = _texts(
        database, "select unnest(tenancy.split_order(%s::regclass[]))::text as text", (names,)
    )
    plan = Plan(order)
    for name in names:
        plan.findings += _findings(
            database,
            "select kind, object, detail, remediation from tenancy.split_findings(%s, %s)",
            (name, column),
        )
        if name not in order:
            plan.findings.append(
                Finding(
                    "foreign key",
                    name,
                    "It is in a circle of foreign keys, so no order is right for its rows.",
                    "Drop one of these foreign keys for the time of the split.",
                )
            )
    deletion = _findings(
        database,
        "select kind, object, detail, remediation"
        " from tenancy.split_deletion_findings(%s::regclass[])",
        (names,),
    )
    # An index is better made before the rows are copied.
    plan.findings += [each for each in deletion if deleting or each.is_warning]
    if not plan.refused:
        _match(database, plan, column, mapping, source)
    return plan


def _match(
    database: Database, plan: Plan, column: str, mapping: Mapping | None, source: str | None
) -> None:
    rows: dict[tuple[str, str], dict[str, int]] = {}
    key, name = (None, None) if mapping is None else (mapping.key, mapping.name)
    for table in plan.tables:
        with database.cursor(row_factory=dict_row) as cursor:
            cursor.execute(
                "select * from tenancy.split_values(%s, %s, %s, %s, %s)",
                (table, column, source, key, name),
            )
            for row in cursor:
                if row["obstacle"] is None:
                    share = rows.setdefault((row["schema_name"], row["value"]), {})
                    share[table] = row["row_count"]
                elif row["row_count"]:
                    plan.unmatched.append(
                        Unmatched(table, row["value"], row["row_count"], row["obstacle"])
                    )
    plan.shares = [
        Share(value, schema_name, {table: share.get(table, 0) for table in plan.tables})
        for (schema_name, value), share in sorted(rows.items())
    ]


def _table(database: Database, name: str) -> str:
    found = _texts(database, "select to_regclass(%s)::text as text", (name,))[0]
    if found is None:
        advice = "" if "." in name else f" Write its schema, too: public.{name}."
        raise TenantryError(f'There is no table "{name}".{advice}')
    return str(found)


def _texts(database: Database, query: str, values: tuple[Any, ...]) -> list[Any]:
    with database.cursor(row_factory=dict_row) as cursor:
        cursor.execute(query.encode(), values)
        return [row["text"] for row in cursor]


def _findings(database: Database, query: str, values: tuple[Any, ...]) -> list[Finding]:
    with database.cursor(row_factory=class_row(Finding)) as cursor:
        cursor.execute(query.encode(), values)
        return cursor.fetchall()
