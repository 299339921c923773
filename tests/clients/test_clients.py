"""The published client libraries: they use Auth, the functions, and a tenant as profile of the
Data API.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.environment import Environment
from support.waiting import is_known, until
from tenantry_cli.emulator.components import NODE

SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture
def supabase_js(node_modules: Path, tmp_path: Path) -> list[str | Path]:
    """The command that runs client_session.mjs where an import finds the library."""
    (tmp_path / "node_modules").symlink_to(node_modules)
    return [NODE, shutil.copy(SUPPORT / "client_session.mjs", tmp_path)]


@pytest.fixture
def supabase_py() -> list[str | Path]:
    return [sys.executable, "-W", "error", SUPPORT / "client_session.py"]


@pytest.mark.parametrize("library", ["supabase_js", "supabase_py"])
def test_client_library_works_in_its_tenant_and_reports_refusals(
    environment: Environment, request: pytest.FixtureRequest, library: str
) -> None:
    tenant = environment.tenant()
    until(lambda: is_known(environment, tenant, "settings"))

    session = _run(environment, tenant, request.getfixturevalue(library))

    no_access = [403, "42501", "forbidden", f'You have no access to tenant "{tenant}".']
    suspended = [403, "42501", "tenant_suspended", f'Tenant "{tenant}" is suspended.']
    assert session == {
        "profiles": [[True, "Ada", True], [False, "Ada", True]],
        "inserted": [["theme", {"dark": True}]],
        "upserted": [["theme", "light"]],
        "updated": [["theme", "dark"]],
        "read": [["theme", "dark"]],
        "read_by_service": [["theme", "dark"]],
        "stranger": [no_access] * 2,
        "suspended": [suspended] * 3,
        "deleted": [["theme", "dark"]],
        "left": [],
    }


def _run(environment: Environment, tenant: str, command: list[str | Path]) -> Any:
    emails = [f"{secrets.token_hex(8)}@example.com" for _ in range(2)]
    try:
        done = subprocess.run(
            command,
            env={
                "PATH": os.environ["PATH"],
                "SUPABASE_URL": environment.address.api_url,
                "SUPABASE_ANON_KEY": environment.address.anon_key,
                "SUPABASE_SERVICE_ROLE_KEY": environment.address.service_role_key,
                "TENANT": tenant,
                "MEMBER_EMAIL": emails[0],
                "STRANGER_EMAIL": emails[1],
                "PASSWORD": secrets.token_urlsafe(16),
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        environment.sql.execute("delete from auth.users where email = any(%s)", (emails,))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)
