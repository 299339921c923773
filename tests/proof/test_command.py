"""`tenantry prove` as a person or a CI job runs it, while other tests run."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from click.testing import CliRunner
from werkzeug.wrappers import Response

from support.commands import tenantry
from support.environment import Address, Environment
from support.hosted import forwarding_to, serving
from support.waiting import is_pending, until
from tenantry_cli.main import main
from tenantry_cli.target import Target

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

pytestmark = pytest.mark.long


@pytest.fixture
def target(address: Address) -> Target:
    """The shared project, without its database: other tests damage their own tenants."""
    return Target(
        address.api_url,
        address.anon_key,
        address.service_role_key,
        functions_url=f"{address.api_url}/functions/v1",
        postgrest_url=address.postgrest_url,
        jwt_secret=address.jwt_secret,
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of the report."""
    return tmp_path / "proof.json"


def test_interrupted_run_removes_what_it_created(
    target: Target, address: Address, environment: Environment
) -> None:
    running = subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTED],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "TARGET": json.dumps(dataclasses.asdict(target) | {"db_url": address.db_url}),
        },
    )
    assert running.stdout is not None
    run = ""
    for line in running.stdout:
        if line.startswith("creating"):
            run = line.split()[-2].rstrip(":")
        if line.startswith("trying"):
            running.send_signal(signal.SIGINT)
            break
    output, _ = running.communicate(timeout=120)

    assert "KeyboardInterrupt" in output
    left = environment.sql.execute(
        "select (select count(*) from public.tenants where schema_name like %(tenant)s)"
        " + (select count(*) from auth.users where email like %(user)s) as left",
        {"tenant": f"proof\\_{run}\\_%", "user": f"proof-{run}-%"},
    ).fetchone()
    assert left == {"left": 0}


@pytest.mark.parametrize("number", [1, 2])
def test_account_that_is_created_during_an_interruption_is_removed(
    target: Target, environment: Environment, number: int
) -> None:
    """The first account is a trial, and the second one that of the first identity."""
    gateway, emails = forwarding_to(target.api_url), list[str]()

    def interrupting(
        environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        place = (environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if place == ("POST", "/auth/v1/admin/users"):
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            environ["wsgi.input"] = BytesIO(body)
            emails.append(json.loads(body)["email"])
            if len(emails) == number:
                running.send_signal(signal.SIGINT)
                until(lambda: not is_pending(signal.SIGINT, running.pid))
        return gateway(environ, start_response)

    with serving(interrupting) as url:
        running = subprocess.Popen(
            [
                *(sys.executable, "-m", "tenantry_cli", "prove", f"--url={url}"),
                *(f"--anon-key={target.anon_key}", f"--service-key={target.service_key}"),
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        _, shown = running.communicate(timeout=120)

    assert running.returncode == 2
    assert "Error: Interrupted. All created objects have been removed." in shown
    assert len(emails) == number
    left = environment.sql.execute(
        "select email from auth.users where email = any(%s)"
        " union all select schema_name from public.tenants where display_name like %s",
        (emails, f"%process {running.pid} since%"),
    ).fetchall()
    assert left == []


_INTERRUPTED = """
import json, os
from tenantry_cli.proof.campaign import prove
from tenantry_cli.proof.interruption import interruptible
from tenantry_cli.proof.plan import Selection
from tenantry_cli.target import Target

# As the command does. Otherwise a process in the background would ignore Ctrl-C.
with interruptible():
    prove(
        Target(**json.loads(os.environ["TARGET"])),
        Selection.BRIEF,
        lambda stage, done, total: print(stage, done, flush=True),
    )
"""


def test_second_interruption_does_not_stop_the_removal(
    target: Target, address: Address, environment: Environment
) -> None:
    options = {
        "--url": target.api_url,
        "--anon-key": target.anon_key,
        "--service-key": target.service_key,
        "--db-url": address.db_url,
    }
    # The progress is shown in a terminal only.
    terminal, child_end = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "tenantry_cli", "prove", *chain(*options.items())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=child_end,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "TERM": "xterm",
            "COLUMNS": "200",
        },
    )
    os.close(child_end)
    output = _read(terminal, until="trying")
    (run,) = set(re.findall(r"of run (\w{8})", output))
    running.send_signal(signal.SIGINT)
    with psycopg.connect(address.db_url) as holder:
        # This lock on the tenant that is deleted last holds up the removal.
        held = holder.execute(
            "select from public.tenants where schema_name = %s for update", (f"proof_{run}_s",)
        )
        assert held.rowcount == 1
        output = _read(terminal, until="removing")
        _wait_until_blocked(environment, holder.info.backend_pid)
        for number in (signal.SIGINT, signal.SIGTERM):
            running.send_signal(number)
        # If the signals had an effect, the command would end now.
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(1)
    output += _read(terminal)

    assert running.wait(60) == 2
    assert "Error: Interrupted. All created objects have been removed." in output
    assert "Traceback" not in output
    left = environment.sql.execute(
        "select (select count(*) from public.tenants where schema_name like %(tenant)s)"
        " + (select count(*) from auth.users where email like %(user)s) as left",
        {"tenant": f"proof\\_{run}\\_%", "user": f"proof-{run}-%"},
    ).fetchone()
    assert left == {"left": 0}


def _read(terminal: int, until: str | None = None) -> str:
    """The output until this text, or until the command has closed the terminal."""
    output = b""
    while until is None or until.encode() not in output:
        try:
            some = os.read(terminal, 65536)
        except OSError:
            break
        output += some
    return output.decode(errors="replace")


def _wait_until_blocked(environment: Environment, holder: int) -> None:
    deadline = time.monotonic() + 30
    while not environment.sql.execute(
        "select from pg_stat_activity where %s = any (pg_blocking_pids(pid))", (holder,)
    ).rowcount:
        assert time.monotonic() < deadline


def test_unreachable_project_cannot_be_proved(target: Target) -> None:
    silent = dataclasses.replace(target, api_url="http://127.0.0.1:9", postgrest_url=None)

    result = tenantry(silent, "prove")

    assert result.exit_code == 2
    assert "127.0.0.1:9" in result.output


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("jwt_secret", "another secret of 32 bytes or more", "are signed with --jwt-secret"),
        ("functions_url", "http://127.0.0.1:9/functions/v1", "http://127.0.0.1:9 does not"),
        ("postgrest_url", "http://127.0.0.1:9", "http://127.0.0.1:9 does not answer"),
    ],
)
def test_wrong_secret_and_addresses_are_named_before_anything_is_created(
    target: Target, field: str, value: str, sentence: str
) -> None:
    result = tenantry(dataclasses.replace(target, **{field: value}), "prove")

    assert result.exit_code == 2
    assert sentence in result.output
    assert "\n" not in result.output.strip()


def test_role_with_too_few_privileges_is_named(target: Target, address: Address) -> None:
    url = address.db_url.replace("//postgres:", "//authenticator:")

    result = tenantry(dataclasses.replace(target, db_url=url), "prove")

    assert result.exit_code == 2
    assert "the role authenticator may not use the schema tenancy" in result.output
    assert "Give a --db-url with the role postgres." in result.output


def test_html_page_is_no_project(target: Target) -> None:
    with serving(Response("<html>Welcome</html>", content_type="text/html")) as url:
        result = tenantry(dataclasses.replace(target, api_url=url), "prove")

    assert result.exit_code == 2
    assert "something other than JSON" in result.output
    assert "<html>Welcome" in result.output


def test_command_without_keys_does_not_run(target: Target) -> None:
    result = tenantry(dataclasses.replace(target, anon_key="", service_key=""), "prove")

    assert result.exit_code == 2
    assert "--anon-key (or SUPABASE_ANON_KEY)" in result.output
    assert "must be given too" in result.output


def test_command_without_an_emulator_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "supabase").mkdir()
    (tmp_path / "supabase" / "config.toml").touch()
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(main, ["prove"])

    assert result.exit_code == 2
    assert "No emulator of this project is running" in result.output


def test_unwritable_report_file_is_refused_before_the_run(
    target: Target, tmp_path: Path
) -> None:
    silent = dataclasses.replace(target, api_url="http://127.0.0.1:9")
    file = tmp_path / "nowhere" / "proof.json"

    result = tenantry(silent, "prove", "--json", str(file))

    assert result.exit_code == 2
    assert f"--json {file} cannot be written (No such file or directory)" in result.output


def test_failed_run_writes_no_report(target: Target, tmp_path: Path) -> None:
    silent = dataclasses.replace(target, api_url="http://127.0.0.1:9")

    tenantry(silent, "prove", "--json", str(tmp_path / "proof.json"))

    assert list(tmp_path.iterdir()) == []
