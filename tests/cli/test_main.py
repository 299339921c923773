"""The `tenantry` command: which modules it imports, and its help."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys

import pytest
from click.testing import CliRunner

from tenantry_cli.main import main
from tenantry_cli.signals import INTERRUPTED


@pytest.mark.parametrize(
    ("command", "module"),
    [
        *(("migrate", "migrate"), ("drift", "drift")),
        *(("status", "emulator.status"), ("down", "emulator.status")),
        *(("init", "installation.init"), ("upgrade", "installation.upgrade")),
        ("uninstall", "installation.uninstall"),
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
    shown = CliRunner().invoke(main, ["--help"])

    assert shown.exit_code == 0
    commands = shown.output.partition("Your project:")[2]
    assert "  doctor     Report problems" in commands
    assert "..." not in commands


def test_ctrl_c_has_its_own_exit_code_and_no_stack_trace() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        running = subprocess.Popen(
            [sys.executable, "-m", "tenantry_cli", "drift", "--url", url, "--service-key", "x"],
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = silent.accept()
        with connection:
            running.send_signal(signal.SIGINT)
            _, shown = running.communicate(timeout=60)

    assert (running.returncode, shown) == (INTERRUPTED, "Interrupted.\n")
