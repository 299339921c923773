"""The admin API of Auth, as test fixtures use it: with the published client libraries."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.environment import Environment
from tenantry_cli.emulator.components import NODE

SUPPORT = Path(__file__).parents[1] / "support"


@pytest.mark.parametrize("library", ["supabase_js", "supabase_py"])
def test_client_library_administers_users(
    environment: Environment, node_modules: Path, tmp_path: Path, library: str
) -> None:
    command: list[str | Path] = [sys.executable, "-W", "error", SUPPORT / "admin_session.py"]
    if library == "supabase_js":
        (tmp_path / "node_modules").symlink_to(node_modules)
        command = [NODE, shutil.copy(SUPPORT / "admin_session.mjs", tmp_path)]
    email = f"{secrets.token_hex(8)}@example.com"

    done = subprocess.run(
        command,
        env={
            "PATH": os.environ["PATH"],
            "SUPABASE_URL": environment.address.api_url,
            "PUBLISHABLE_KEY": environment.address.publishable_key,
            "SECRET_KEY": environment.address.secret_key,
            "EMAIL": email,
            "PASSWORD": secrets.token_urlsafe(16),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        "created": [email, "Ada", "pro"],
        "repeated": "email_exists",
        "signed_in": True,
        "claims": "pro",
        "refused": "not_admin",
        "listed": True,
        "updated": "Eve",
        "read": "Eve",
        "verified": True,
        "moved": [True, True],
        "anonymous": True,
        "mfa": [
            "mfa_totp_enroll_not_enabled",
            "The emulator has no multi-factor authentication. Use a hosted project for it.",
        ],
        "banned": True,
        "sign_in_of_banned": "user_banned",
        "deleted": "user_not_found",
    }
