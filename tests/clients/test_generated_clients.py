"""Clients that are generated from the OpenAPI document: they compile, and they call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from support.environment import Environment
from tenantry.catalogue import catalogue
from tenantry_cli.emulator.components import NODE, install_packages

GENERATORS = Path(__file__).with_name("generators")
# Without the names of PATH the generator finds no formatter, which the test does not need.
QUIET = "post_hooks: []\n"
PYTHON_SESSION = """
import importlib, json, os, pkgutil, uuid
import tenantry_client
from tenantry_client.api.access_control import grant_schema_access
from tenantry_client.api.schema_management import create_tenant_schema
from tenantry_client.api.tenant_status import get_tenant_info, tenant_status_health
from tenantry_client.models import CreateTenantSchema, ErrorCode
from tenantry_client.models import GetTenantInfo, GrantSchemaAccess

for module in pkgutil.walk_packages(tenantry_client.__path__, "tenantry_client."):
    importlib.import_module(module.name)

url, token, name, user_id = map(os.environ.get, ("FUNCTIONS_URL", "TOKEN", "TENANT", "USER_ID"))
with tenantry_client.AuthenticatedClient(base_url=url, token=token) as client:
    tenant = create_tenant_schema.sync(client=client, body=CreateTenantSchema(schema_name=name))
    grant = GrantSchemaAccess(schema_name=name, user_id=uuid.UUID(user_id))
    access = grant_schema_access.sync(client=client, body=grant)
    missing = GetTenantInfo(schema_name=f"{name}_missing")
    refused = get_tenant_info.sync(client=client, body=missing)
    health = tenant_status_health.sync(client=client)
assert refused.code is ErrorCode.TENANT_NOT_FOUND
print(json.dumps([
    tenant.status, access.access_level, refused.code, refused.hint, health.name
]))
"""


@pytest.fixture
def session(environment: Environment) -> dict[str, str]:
    """What the program of a client finds in its environment: a tenant to create, and a user."""
    token = environment.staff("admin").token
    user_id = environment.person().id
    assert token is not None
    assert user_id is not None
    return {
        "PATH": os.environ["PATH"],
        "FUNCTIONS_URL": f"{environment.address.api_url}/functions/v1",
        "TOKEN": token,
        "TENANT": environment.name(),
        "USER_ID": user_id,
    }


@pytest.fixture
def document(environment: Environment, tmp_path: Path) -> Path:
    return _saved(environment, "openapi.json", tmp_path)


def _saved(environment: Environment, path: str, folder: Path) -> Path:
    file = folder / path.replace("/", "-")
    reply = environment.http.get(f"/functions/v1/{path}").raise_for_status()
    file.write_text(reply.text)
    return file


def run(command: list[str | Path], cwd: Path, variables: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


def assert_called(environment: Environment, session: dict[str, str], printed: str) -> None:
    replies: list[Any] = json.loads(printed)
    hint = "Check the name with list_my_tenants, or ask for access."
    assert replies == ["active", "read", "tenant_not_found", hint, "tenant-status"]
    row = environment.sql.execute(
        "select access_level from public.user_schema_access"
        " where schema_name = %(TENANT)s and user_id = %(USER_ID)s",
        session,
    ).fetchone()
    assert row == {"access_level": "read"}


def test_typescript_client_compiles_and_calls_and_linters_find_nothing(
    environment: Environment,
    session: dict[str, str],
    document: Path,
    node_modules: Path,
    tmp_path: Path,
) -> None:
    console = Console(stderr=True, quiet=True)
    (tmp_path / "node_modules").symlink_to(
        install_packages(GENERATORS, console, "the generators of clients")
    )
    for name in ("generate.mjs", "session.ts"):
        (tmp_path / name).write_bytes((GENERATORS / name).read_bytes())
    of_a_group = _saved(environment, "tenant-status/openapi.json", tmp_path)

    types = run([NODE, "generate.mjs", document, of_a_group], tmp_path, session)

    (tmp_path / "tenantry.ts").write_text(types)
    (tmp_path / "minimal.ts").write_text(minimal_calls(document))
    run(
        [
            *(NODE, node_modules / "typescript" / "bin" / "tsc", "--noEmit", "--strict"),
            *("--target", "es2022", "--module", "esnext", "--lib", "es2022,dom"),
            *("--moduleResolution", "bundler", "--allowImportingTsExtensions"),
            *("--skipLibCheck", "session.ts", "minimal.ts"),
        ],
        tmp_path,
        session,
    )
    assert_called(environment, session, run([NODE, "session.ts"], tmp_path, session))


def minimal_calls(document: Path) -> str:
    """TypeScript that compiles if each operation can be called with its required arguments."""
    paths = json.loads(document.read_text())["paths"]
    lines = [
        "import type { components } from './tenantry.ts'",
        "type S = components['schemas']",
        "type Is<K extends keyof S, R extends keyof S[K]> =",
        "  Pick<S[K], R> extends S[K] ? true : never",
    ]
    for path, item in paths.items():
        if "post" in item:
            schema = item["post"]["requestBody"]["content"]["application/json"]["schema"]
            model = schema["$ref"].rpartition("/")[2]
            parameters = catalogue()[path.rpartition("/")[2]].parameters
            required = [f"'{each.name}'" for each in parameters if each.default is None]
            lines.append(f"true satisfies Is<'{model}', {' | '.join(required) or 'never'}>")
    assert len(lines) == len(catalogue()) + 4
    return "\n".join(lines)


def test_python_client_compiles_and_calls(
    environment: Environment, session: dict[str, str], document: Path, tmp_path: Path
) -> None:
    (tmp_path / "generator.yaml").write_text(QUIET)
    run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"),
            *("--config", "generator.yaml", "--fail-on-warning", "--path", document),
            *("--output-path", "tenantry_client"),
        ],
        tmp_path,
        session,
    )

    modules = [*tmp_path.glob("tenantry_client/**/*.py")]
    # A module for each operation, and one for each type.
    assert len(modules) < 4 * len(catalogue())
    (tmp_path / "session.py").write_text(PYTHON_SESSION)
    printed = run([sys.executable, "-W", "error", "session.py"], tmp_path, session)
    assert_called(environment, session, printed)
