"""`tenantry prove` as a person or a CI job runs it, beside other tests, without SQL."""

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
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from werkzeug.wrappers import Response

from support.commands import tenantry
from support.environment import Address, Environment
from support.hosted import serving
from tenantry_cli.main import main
from tenantry_cli.target import Target


@pytest.fixture
def target(address: Address) -> Target:
    """The shared project. Its catalog is not asked: other tests damage tenants of theirs."""
    return Target(
        address.api_url,
        address.anon_key,
        address.service_role_key,
        functions_url=f"{address.api_url}/functions/v1",
        postgrest_url=address.postgrest_url,
        jwt_secret=address.jwt_secret,
    )


@pytest.fixture
def file(tmp_path: Path, environment: Environment) -> Iterator[Path]:
    """Where the report goes. The accounts that it says remain are gone after the test."""
    file = tmp_path / "proof.json"
    yield file
    # The emulator's Auth has no admin API to remove them with. Other runs keep theirs.
    notes = [note.split() for note in json.loads(file.read_text())["notes"]]
    emails = [note[2] for note in notes if note[:2] == ["The", "account"]]
    gone = environment.sql.execute("delete from auth.users where email = any(%s)", (emails,))
    assert gone.rowcount == len(emails) > 0


def test_a_report_is_read_by_people_and_by_programs(target: Target, file: Path) -> None:
    # As of a hosted project, only the gateway is known.
    hosted = dataclasses.replace(target, postgrest_url=None)

    result = tenantry(hosted, "prove", "--brief", "--json", str(file))

    assert result.exit_code == 0, result.output
    assert "Who got what" in result.output
    assert "no leak" in result.output
    report = json.loads(file.read_text())
    assert report["is_proved"] is True
    assert report["findings"] == []
    assert report["attempts"] > 1000
    assert report["disclosures"]
    # Where there is neither SQL nor an admin API, people cannot be removed, and it says so.
    assert any("remains" in note for note in report["notes"])
    assert target.service_key not in file.read_text()


def test_what_was_made_is_removed_when_it_is_interrupted(
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
        if line.startswith("making"):
            run = line.split()[-2].rstrip(":")
        if line.startswith("trying"):
            running.send_signal(signal.SIGINT)
            break
    said, _ = running.communicate(timeout=120)

    assert "KeyboardInterrupt" in said
    left = environment.sql.execute(
        "select (select count(*) from public.tenants where schema_name like %(tenant)s)"
        " + (select count(*) from auth.users where email like %(person)s) as left",
        {"tenant": f"proof\\_{run}\\_%", "person": f"proof-{run}-%"},
    ).fetchone()
    assert left == {"left": 0}


_INTERRUPTED = """
import json, os
from tenantry_cli.proof.campaign import prove
from tenantry_cli.proof.interruption import interruptible
from tenantry_cli.proof.plan import Selection
from tenantry_cli.target import Target

# As the command does: a process of a script's background would not hear Ctrl-C else.
with interruptible():
    prove(
        Target(**json.loads(os.environ["TARGET"])),
        Selection.BRIEF,
        lambda environment, done, total: print(environment, done, flush=True),
    )
"""


def test_a_second_interruption_does_not_stop_the_clearing_away(
    target: Target, address: Address, environment: Environment
) -> None:
    options = {
        "--url": target.api_url,
        "--anon-key": target.anon_key,
        "--service-key": target.service_key,
        "--db-url": address.db_url,
    }
    # It shows how far it is to a terminal alone.
    terminal, its_end = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "tenantry_cli", "prove", "--brief", *chain(*options.items())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=its_end,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "TERM": "xterm",
            "COLUMNS": "200",
        },
    )
    os.close(its_end)
    said = _read(terminal, until="trying")
    (run,) = set(re.findall(r"of run (\w{8})", said))
    running.send_signal(signal.SIGINT)
    with psycopg.connect(address.db_url) as holder:
        # The last tenant to be removed: until this ends, the removal does not.
        held = holder.execute(
            "select from public.tenants where schema_name = %s for update", (f"proof_{run}_s",)
        )
        assert held.rowcount == 1
        said = _read(terminal, until="removing")
        _wait_until_held_up(environment, holder.info.backend_pid)
        for number in (signal.SIGINT, signal.SIGTERM):
            running.send_signal(number)
        # Heard, it would have ended by now and said so, with the tenant still held.
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(1)
    said += _read(terminal)

    assert running.wait(60) == 2
    assert "Error: Interrupted; what was made has been removed." in said
    assert "Traceback" not in said
    left = environment.sql.execute(
        "select (select count(*) from public.tenants where schema_name like %(tenant)s)"
        " + (select count(*) from auth.users where email like %(person)s) as left",
        {"tenant": f"proof\\_{run}\\_%", "person": f"proof-{run}-%"},
    ).fetchone()
    assert left == {"left": 0}


def _read(terminal: int, until: str | None = None) -> str:
    """What is said until these words, or until nobody holds the other end any more."""
    said = b""
    while until is None or until.encode() not in said:
        try:
            some = os.read(terminal, 65536)
        except OSError:
            break
        said += some
    return said.decode(errors="replace")


def _wait_until_held_up(environment: Environment, holder: int) -> None:
    deadline = time.monotonic() + 30
    while not environment.sql.execute(
        "select from pg_stat_activity where %s = any (pg_blocking_pids(pid))", (holder,)
    ).rowcount:
        assert time.monotonic() < deadline


def test_a_project_that_does_not_answer_is_no_proof(target: Target) -> None:
    silent = dataclasses.replace(target, api_url="http://127.0.0.1:9", postgrest_url=None)

    result = tenantry(silent, "prove")

    assert result.exit_code == 2
    assert "127.0.0.1:9" in result.output


def test_a_page_of_html_is_no_proof(target: Target) -> None:
    with serving(Response("<html>Welcome</html>", content_type="text/html")) as url:
        result = tenantry(dataclasses.replace(target, api_url=url), "prove")

    assert result.exit_code == 2
    assert "something else than JSON" in result.output
    assert "<html>Welcome" in result.output


def test_without_keys_it_does_not_run(target: Target) -> None:
    result = tenantry(dataclasses.replace(target, anon_key="", service_key=""), "prove")

    assert result.exit_code == 2
    assert "give --anon-key" in result.output


def test_without_an_emulator_it_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "supabase" / "migrations").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(main, ["prove"])

    assert result.exit_code == 2
    assert "No emulator of this project is running" in result.output


def test_a_report_that_cannot_be_written_is_told_before_anything_is_made(
    target: Target, tmp_path: Path
) -> None:
    silent = dataclasses.replace(target, api_url="http://127.0.0.1:9")
    file = tmp_path / "nowhere" / "proof.json"

    result = tenantry(silent, "prove", "--json", str(file))

    assert result.exit_code == 2
    assert f"--json {file} cannot be written (No such file or directory)" in result.output


def test_a_run_that_fails_leaves_no_report(target: Target, tmp_path: Path) -> None:
    silent = dataclasses.replace(target, api_url="http://127.0.0.1:9")

    tenantry(silent, "prove", "--json", str(tmp_path / "proof.json"))

    assert list(tmp_path.iterdir()) == []


def test_a_leak_is_shown_with_its_request(target: Target, file: Path) -> None:
    """The same rules asked of a project whose service key is everybody's anon key."""
    careless = dataclasses.replace(target, anon_key=target.service_key)

    result = tenantry(careless, "prove", "--brief", "--json", str(file))

    assert result.exit_code == 1, result.output
    leaks = [
        each for each in json.loads(file.read_text())["findings"] if each["verdict"] == "leak"
    ]
    read = next(each for each in leaks if each["identity"] == "anon key" and each["tenant"])
    assert read["request"]["url"].startswith("http")
    assert ["Authorization", "…"] in read["request"]["headers"]
    assert read["excerpt"]
    assert "LEAKED" in result.output
    assert target.service_key not in result.output
