"""`tenantry adopt`: makes tenants of existing schemas."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import click
import psycopg
from psycopg.rows import class_row, dict_row
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from tenantry_cli.database import NO_TENANTRY, open_database
from tenantry_cli.errors import TenantryError
from tenantry_cli.target import database_options

# First what a person has to act on.
_ORDER = ("refused", "warning", "removed", "changed", "made", "kept")


@dataclass(frozen=True)
class _Step:
    """What becomes of one object: a row of tenancy.register_tenant_schema."""

    outcome: str
    object_kind: str
    object_name: str
    detail: str
    remediation: str | None


@click.command()
@click.argument("schemas", metavar="SCHEMA…", nargs=-1, required=True)
@click.option("--dry-run", is_flag=True, help="Show what would become of each object.")
@click.option(
    "--drop-foreign-keys-to-auth",
    "drop_keys",
    is_flag=True,
    help="Drop the schemas' foreign keys to auth.users, which a tenant cannot have.",
)
@click.option("--display-name", help="What people call the tenant; only with one schema.")
@click.option("--json", "as_json", is_flag=True, help="The objects as JSON, by schema.")
@database_options
@click.pass_context
def adopt(
    context: click.Context,
    schemas: tuple[str, ...],
    dry_run: bool,
    drop_keys: bool,
    display_name: str | None,
    as_json: bool,
    db_url: str,
) -> None:
    """Make a tenant of each existing SCHEMA.

    The tables of the schema become tenant tables, and the template's tables are added. Rows,
    keys, sequences, triggers and owners stay. Each schema is adopted in one transaction, and
    none if one of them cannot become a tenant. Tenants are left as they are, so a stopped run
    can be repeated. A dry run adopts and rolls back, so it locks the tables for a moment, and
    auth.users, too, if keys are dropped. Exits 1 if a schema is refused.
    """
    if display_name is not None and len(schemas) > 1:
        raise TenantryError("--display-name is for one schema. Adopt the schemas one by one.")
    with open_database(db_url, autocommit=True) as connection:
        try:
            tenants = _tenants(connection, schemas)
            new = [name for name in dict.fromkeys(schemas) if name not in tenants]
            register = partial(
                _register, connection, display_name=display_name, drop_keys=drop_keys
            )
            plan = {name: register(name, dry_run=True) for name in new}
            refused = any(
                step.outcome == "refused" for steps in plan.values() for step in steps
            )
            if not (dry_run or refused):
                plan = {name: register(name, dry_run=False) for name in new}
        except psycopg.Error as error:
            raise _failed(error) from error
    if as_json:
        rows = {name: [asdict(step) for step in steps] for name, steps in plan.items()}
        click.echo(json.dumps(rows, indent=2))
    else:
        _show(Console(highlight=False), plan, tenants, dry_run=dry_run, refused=refused)
    if refused:
        context.exit(1)


def _tenants(connection: psycopg.Connection[Any], schemas: tuple[str, ...]) -> set[str]:
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("select to_regclass('public.tenants') is null as is_missing")
        if cursor.fetchone() == {"is_missing": True}:
            raise TenantryError(NO_TENANTRY)
        cursor.execute(
            "select schema_name from public.tenants where schema_name = any(%s)", ([*schemas],)
        )
        return {row["schema_name"] for row in cursor}


def _register(
    connection: psycopg.Connection[Any],
    name: str,
    *,
    display_name: str | None,
    dry_run: bool,
    drop_keys: bool,
) -> list[_Step]:
    with connection.cursor(row_factory=class_row(_Step)) as cursor:
        cursor.execute(
            "select s.* from tenancy.register_tenant_schema(%s, %s, %s, %s) s",
            (name, display_name, dry_run, drop_keys),
        )
        steps = cursor.fetchall()
    return sorted(
        steps, key=lambda step: (_ORDER.index(step.outcome), step.object_kind, step.object_name)
    )


def _failed(error: psycopg.Error) -> TenantryError:
    reason = error.diag.message_primary or str(error).strip()
    hint = f" {error.diag.message_hint}" if error.diag.message_hint else ""
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        hint = " Give a --db-url with the role postgres, which owns Tenantry."
    return TenantryError(f"{reason}{hint}")


def _show(
    console: Console,
    plan: dict[str, list[_Step]],
    tenants: set[str],
    *,
    dry_run: bool,
    refused: bool,
) -> None:
    for name in sorted(tenants):
        console.print(f"{name} is a tenant already: nothing to do.", markup=False)
    for name, steps in plan.items():
        table = Table(Column("outcome", no_wrap=True), "object", "what becomes of it")
        for step in steps:
            # What to do about a refusal stands below, where no line of it is broken.
            remediation = None if step.outcome == "refused" else step.remediation
            detail = " ".join(filter(None, (step.detail, remediation)))
            table.add_row(
                step.outcome,
                Text(f"{step.object_kind} {step.object_name}", overflow="fold"),
                Text(detail, overflow="fold"),
            )
        console.print(table)
        refusals = [step for step in steps if step.outcome == "refused"]
        if refusals:
            console.print(f"{name} cannot become a tenant. What to do:", markup=False)
            for remediation in dict.fromkeys(step.remediation for step in refusals):
                if remediation:
                    console.print(f"  {remediation}", markup=False, soft_wrap=True)
        elif dry_run or refused:
            console.print(f"{name} can become a tenant.", markup=False)
        else:
            console.print(
                f"{name} is a tenant now. Give people access with grant_schema_access.",
                markup=False,
            )
    if any("references auth." in step.detail for steps in plan.values() for step in steps):
        console.print("--drop-foreign-keys-to-auth drops the foreign keys to auth.users.")
    if refused:
        console.print("Nothing was changed.")
