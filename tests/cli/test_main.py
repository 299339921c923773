"""The `tenantry` command: which modules it imports, and its help."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from tenantry_cli.main import main


@pytest.mark.parametrize(
    ("command", "module"),
    [
        *(("migrate", "migrate"), ("drift", "drift")),
        *(("status", "emulator.status"), ("down", "emulator.status")),
    ],
)
def test_command_imports_neither_the_emulator_nor_the_proof(command: str, module: str) -> None:
    script = (
        "import sys\n"
        "from tenantry_cli.main import main\n"
        f"main([{command!r}, '--help'], standalone_mode=False)\n"
        "print('loaded:', *sys.modules)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    loaded = done.stdout.split("loaded:")[1].split()
    assert f"tenantry_cli.{module}" in loaded
    for costly in ("functions_framework", "psycopg", "httpx", "tenantry_cli.emulator.stack"):
        assert costly not in loaded


def test_summaries_fit_into_eighty_columns() -> None:
    shown = CliRunner().invoke(main, ["--help"], terminal_width=80)

    assert shown.exit_code == 0
    assert "..." not in shown.output.partition("Commands:")[2]
