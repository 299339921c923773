"""`tenantry up --demo`: the story by the command, and what is left when it cannot be told."""

import shutil
import signal
import subprocess

import requests

from cli.trial import Trial
from tenantry_cli.project import find_project


def read_until(running: subprocess.Popen[str], sentence: str) -> str:
    assert running.stdout is not None
    said = ""
    for line in running.stdout:
        said += line
        if sentence in line:
            return said
    raise AssertionError(said)


def stop(running: subprocess.Popen[str]) -> None:
    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=30)
    assert running.returncode == 0, output


def test_the_story_is_told_to_its_end(trial: Trial) -> None:
    project = find_project()
    for part in ("functions", "supabase"):
        shutil.copytree(project.root / part, trial.directory / part, dirs_exist_ok=True)
    running = trial.up("--demo")

    said = read_until(running, "The story is finished.")

    assert "The demo stops here" not in said
    stop(running)


def test_the_emulator_stays_when_the_story_cannot_be_told(trial: Trial) -> None:
    # A project without our migrations and functions.
    running = trial.up("--demo", "--ephemeral")

    read_until(running, "The demo stops here")

    connection = trial.connection()
    reply = requests.get(
        f"{connection['API_URL']}/rest/v1/notes",
        headers={"apikey": connection["ANON_KEY"], "Connection": "close"},
        timeout=30,
    )
    assert reply.ok
    stop(running)
