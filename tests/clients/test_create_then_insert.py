"""A client that creates something through the functions can write into it at once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from supabase import ClientOptions, FunctionsHttpError, create_client

from support.environment import Environment, Person
from tenantry_cli.emulator.components import NODE

SUPPORT = Path(__file__).parents[1] / "support"
TIMES = 4


@pytest.fixture
def staff(environment: Environment) -> Person:
    """A platform admin, who opens support access to each new tenant."""
    return environment.staff("admin")


def test_supabase_js_writes_at_once(
    environment: Environment, staff: Person, node_modules: Path, tmp_path: Path
) -> None:
    tenants = [environment.name() for _ in range(TIMES)]
    (tmp_path / "node_modules").symlink_to(node_modules)
    done = subprocess.run(
        [NODE, shutil.copy(SUPPORT / "create_then_insert.mjs", tmp_path)],
        env={
            "PATH": os.environ["PATH"],
            "SUPABASE_URL": environment.address.api_url,
            "SUPABASE_ANON_KEY": environment.address.anon_key,
            "TOKEN": str(staff.token),
            "TENANTS": ",".join(tenants),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == [201, 201, 201, 201, 200, 201] * TIMES


def test_supabase_py_writes_at_once_and_shows_why_a_call_was_refused(
    environment: Environment, staff: Person
) -> None:
    client: Any = create_client(
        environment.address.api_url,
        environment.address.anon_key,
        ClientOptions(
            headers={"Authorization": f"Bearer {staff.token}"}, httpx_client=environment.http
        ),
    )

    def call(path: str, **body: object) -> Any:
        return client.functions.invoke(path, {"body": body, "responseType": "json"})

    for _ in range(TIMES):
        tenant = call("schema-management/create_tenant_schema")["schema_name"]
        environment.grant(tenant, staff, "admin")
        settings = client.schema(tenant).table("settings")
        settings.insert({"key": "colour", "value": "red"}).execute()
        call("ddl-operations/create_table", schema_name=tenant, table_name="notes", columns=[])
        notes = client.schema(tenant).table("notes")
        notes.insert({}).execute()
        column = {"column_name": "body", "column_type": "text"}
        call("ddl-operations/add_column", schema_name=tenant, table_name="notes", **column)
        notes.insert([{"body": "tea"}]).execute()

    with pytest.raises(FunctionsHttpError) as refusal:
        call("schema-management/create_tenant_schema", schema_name=tenant)
    assert (refusal.value.status, refusal.value.message) == (
        409,
        f'There already is a tenant "{tenant}".',
    )
