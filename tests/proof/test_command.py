"""`tenantry prove` as a person or a CI job runs it, beside other tests, without SQL."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proof.doctor import tenantry
from stage import Address, Stage
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
def file(tmp_path: Path, stage: Stage) -> Iterator[Path]:
    """Where the report goes. The accounts that it says remain are gone after the test."""
    file = tmp_path / "proof.json"
    yield file
    # The emulator's Auth has no admin API to remove them with. Other runs keep theirs.
    notes = [note.split() for note in json.loads(file.read_text())["notes"]]
    emails = [note[2] for note in notes if note[:2] == ["The", "account"]]
    gone = stage.sql.execute("delete from auth.users where email = any(%s)", (emails,))
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
    target: Target, address: Address, stage: Stage
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
    left = stage.sql.execute(
        "select (select count(*) from public.tenants where schema_name like %(tenant)s)"
        " + (select count(*) from auth.users where email like %(person)s) as left",
        {"tenant": f"proof\\_{run}\\_%", "person": f"proof-{run}-%"},
    ).fetchone()
    assert left == {"left": 0}


_INTERRUPTED = """
import json, os
from tenantry_cli.proof.campaign import prove
from tenantry_cli.proof.script import Selection
from tenantry_cli.target import Target

prove(
    Target(**json.loads(os.environ["TARGET"])),
    Selection.BRIEF,
    lambda stage, done, total: print(stage, done, flush=True),
)
"""


def test_a_project_that_does_not_answer_is_no_proof(target: Target) -> None:
    silent = dataclasses.replace(target, api_url="http://127.0.0.1:9", postgrest_url=None)

    result = tenantry(silent, "prove")

    assert result.exit_code == 2
    assert "127.0.0.1:9" in result.output


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
