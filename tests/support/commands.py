"""Calls of the command `tenantry` in this process."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result

from tenantry_cli.main import main
from tenantry_cli.target import Target


def tenantry(target: Target, command: str, *options: str) -> Result:
    given = {
        "--url": target.api_url,
        "--anon-key": target.anon_key,
        "--service-key": target.service_key,
        "--db-url": target.db_url,
        "--jwt-secret": target.jwt_secret,
        "--functions-url": target.functions_url,
        "--postgrest-url": target.postgrest_url,
    }
    named = [part for name, value in given.items() if value for part in (name, value)]
    return CliRunner().invoke(main, [command, *named, *options])


def diagnosis(target: Target, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code of the doctor, and the problems that remain."""
    result = tenantry(target, "doctor", "--json", *options)
    assert result.exit_code in (0, 1), result.output
    return result.exit_code, json.loads(result.stdout)["problems"]
