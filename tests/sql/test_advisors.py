"""Supabase's own advisors judge the database, tenant schemas included."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from rich.console import Console

from stage import Address, Stage
from tenantry_cli.emulator.parts import install_parts

# What they find and why it is as it should be. Anything else fails the test.
ALLOWED = {
    ("function_search_path_mutable", "Function `tenancy.guard_request`"): (
        "The guard reads search_path: its first element is the schema PostgREST really uses. "
        "It is an invoker function and names everything in full."
    ),
    ("rls_enabled_no_policy", "Table `tenancy."): (
        "Nobody but the owner reads tenancy's tables, so there is nobody to write a policy for."
    ),
    ("unused_index", ""): (
        "A test database has hardly been queried. Each index serves a foreign key or a filter."
    ),
}


def findings(database_url: str) -> list[dict[str, Any]]:
    cli = install_parts(Console(quiet=True)).supabase
    done = subprocess.run(
        [
            *(cli, "db", "advisors", f"--remote={database_url}"),
            *("--type", "all", "--level", "info", "--fail-on", "none"),
            *("--output-format", "json"),
        ],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    reply: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    return reply["results"]


def is_allowed(finding: dict[str, Any]) -> bool:
    return any(
        finding["name"] == name and finding["detail"].startswith(detail)
        for name, detail in ALLOWED
    )


@pytest.fixture
def careless_table(address: Address) -> Iterator[str]:
    """A table in public that anybody may read: no row level security."""
    name = "advisors_must_see_this"
    with psycopg.connect(address.db_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create table public.{} ()").format(sql.Identifier(name)))
        connection.execute(
            sql.SQL("grant select on public.{} to anon").format(sql.Identifier(name))
        )
        yield name
        connection.execute(sql.SQL("drop table public.{}").format(sql.Identifier(name)))


def test_advisors_find_nothing_but_what_is_allowed_with_a_reason(
    stage: Stage, address: Address
) -> None:
    tenant = stage.tenant()

    # Other tests' tenants stand beside ours, some with a wall taken down.
    found = [
        finding
        for finding in findings(address.db_url)
        if "advisors_must_see_this" not in finding["detail"]
        and not re.search(rf"`(?!{tenant}\b)test_\w+\.", finding["detail"])
    ]

    assert [finding["detail"] for finding in found if not is_allowed(finding)] == []


def test_advisors_catch_a_planted_fault(careless_table: str, address: Address) -> None:
    assert any(
        f["name"] == "rls_disabled_in_public" and careless_table in f["detail"]
        for f in findings(address.db_url)
    )
