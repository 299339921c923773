"""Supabase's advisors check the database, tenant schemas included."""

from __future__ import annotations

import json
import subprocess
import tempfile
from typing import Any

import psycopg
from rich.console import Console

from tenantry_cli.emulator.components import install_components
from tenantry_cli.emulator.supabase_cli import quiet_environment

# Allowed findings, each with a reason. Any other finding fails the test.
ALLOWED = {
    ("rls_enabled_no_policy", "Table `tenancy."): (
        "Only the owner reads tables in tenancy, so no role needs a policy."
    ),
    ("unused_index", ""): (
        "A test database had few queries. Each index serves a foreign key or a filter."
    ),
}


def findings(database_url: str) -> list[dict[str, Any]]:
    cli = install_components(Console(quiet=True)).supabase
    with tempfile.TemporaryDirectory() as home:
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
            env=quiet_environment(home),
        )
    reply: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    return reply["results"]


def is_allowed(finding: dict[str, Any]) -> bool:
    return any(
        finding["name"] == name and finding["detail"].startswith(detail)
        for name, detail in ALLOWED
    )


def test_advisors_find_only_allowed_findings(other_project: str) -> None:
    with psycopg.connect(other_project) as connection:
        connection.execute("select public.create_tenant_schema('acme')")

    found = findings(other_project)

    assert [finding["detail"] for finding in found if not is_allowed(finding)] == []


def test_advisors_find_planted_faults(other_project: str) -> None:
    with psycopg.connect(other_project) as connection:
        connection.execute("select public.create_tenant_schema('acme')")
        connection.execute("create table public.careless ()")
        connection.execute("grant select on public.careless to anon")
        connection.execute("alter table acme.users disable row level security")

    found = {finding["name"] for finding in findings(other_project) if not is_allowed(finding)}

    assert found == {"rls_disabled_in_public", "policy_exists_rls_disabled", "no_primary_key"}
