"""`tenantry up` with real processes, in a directory with a space in its name."""

import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest
import requests

from support.trial import Trial
from support.waiting import until
from tenantry_cli.project import find_project

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")


def get(url: str, key: str) -> requests.Response:
    return requests.get(url, headers={"apikey": key, "Connection": "close"}, timeout=30)


def sign_up(connection: dict[str, str], email: str) -> requests.Response:
    return requests.post(
        f"{connection['API_URL']}/auth/v1/signup",
        json={"email": email, "password": "correct horse"},
        headers={"apikey": connection["ANON_KEY"], "Connection": "close"},
        timeout=30,
    )


def test_up_serves_a_project_until_ctrl_c(trial: Trial) -> None:
    running = trial.up()
    connection = trial.connection()
    api, key = connection["API_URL"], connection["ANON_KEY"]

    assert api == f"http://127.0.0.1:{trial.port}"
    assert connection["DB_URL"].endswith(f":{trial.port + 1}/postgres")
    # The logs quote tokens and rows.
    assert (trial.project.state / "logs").stat().st_mode & 0o777 == 0o700
    assert get(f"{api}/rest/v1/notes", key).json() == []
    assert sign_up(connection, "ada@example.com").ok
    first = get(f"{api}/functions/v1/first-group/some/operation", key).json()
    assert first == {"group": "first", "path": "/some/operation"}
    assert get(f"{api}/functions/v1/second-group/notes", key).json() == {"notes": []}

    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=30)

    assert running.returncode == 0, output
    assert trial.processes() == []
    assert trial.tenantry("status").returncode == 1


def test_data_and_users_survive_the_death_of_every_process(trial: Trial) -> None:
    running = trial.up()
    before = trial.connection()
    sign_up(before, "ada@example.com")
    with psycopg.connect(before["DB_URL"]) as database:
        database.execute("insert into public.notes values (1)")

    # The supervisor first, so that it stops nothing. Then PostgreSQL, as in a power failure.
    running.kill()
    for process in trial.processes():
        # Some processes end by themselves after the others.
        with suppress(psutil.NoSuchProcess):
            if process.name() == "postgres":
                process.kill()
    running.communicate(timeout=30)
    assert trial.tenantry("status").returncode == 1

    again = trial.up()
    after = trial.connection()
    assert get(f"{after['API_URL']}/rest/v1/notes", after["ANON_KEY"]).json() == [{"id": 1}]
    assert after["JWT_SECRET"] == before["JWT_SECRET"]
    assert sign_up(after, "ada@example.com").status_code == 422
    again.terminate()
    again.communicate(timeout=30)
    assert trial.processes() == []


def test_down_stops_a_detached_emulator(trial: Trial) -> None:
    started = trial.up_detached()
    assert started.returncode == 0, started.stderr
    assert "ready" in started.stdout
    connection = trial.connection()
    assert {"API_URL", "DB_URL", "ANON_KEY", "SERVICE_ROLE_KEY", "JWT_SECRET"} <= set(
        connection
    )

    second = trial.up_detached()
    assert second.returncode == 1
    assert f"already up on port {trial.port}" in second.stderr
    assert get(f"{connection['API_URL']}/rest/v1/notes", connection["ANON_KEY"]).ok

    assert trial.tenantry("down").returncode == 0
    assert trial.processes() == []
    stopped = trial.tenantry("status", "--json")
    assert (stopped.returncode, stopped.stdout) == (1, "")
    assert "No emulator of this project is running" in stopped.stderr


@pytest.mark.parametrize("options", [(), ("--detach",)])
def test_interrupted_start_is_reported_and_leaves_no_process(
    trial: Trial, options: tuple[str, ...]
) -> None:
    running = trial.begin_up(*options)
    until(lambda: "postgres" in _names(trial))

    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=60)

    assert running.returncode == 130, output
    assert output.endswith("stopped before it was ready\n")
    assert trial.processes() == []


def _names(trial: Trial) -> Iterator[str]:
    for process in trial.processes():
        # Some processes end meanwhile.
        with suppress(psutil.NoSuchProcess):
            yield process.name()


def test_failed_demo_leaves_the_emulator_running_until_a_component_dies(trial: Trial) -> None:
    # The demo fails in a project without our migrations and functions.
    running = trial.up("--demo", "--ephemeral")
    trial.read_until(running, "The demo stops here")
    connection = trial.connection()
    assert get(f"{connection['API_URL']}/rest/v1/notes", connection["ANON_KEY"]).ok

    for process in psutil.Process(running.pid).children():
        if process.name() == "postgrest":
            process.kill()

    output, _ = running.communicate(timeout=30)

    assert running.returncode == 1
    assert "PostgREST stopped with status -9" in output
    assert trial.processes() == []


def test_demo_succeeds_although_no_proxy_answers(trial: Trial) -> None:
    project = find_project()
    for folder in ("functions", "supabase"):
        shutil.copytree(project.root / folder, trial.directory / folder, dirs_exist_ok=True)
    # All requests go to this machine, in the command and in the functions.
    trial.env.update(dict.fromkeys(PROXY_VARIABLES, "http://127.0.0.1:9"))
    running = trial.up("--demo", "--ephemeral")

    output = trial.read_until(running, "The demo is finished.")

    assert "The demo stops here" not in output
    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=30)
    assert running.returncode == 0, output


def test_new_emulator_is_seeded_once(trial: Trial) -> None:
    trial.write("supabase/seed.sql", "insert into public.notes values (7);\n")

    for _ in range(2):
        assert trial.up_detached().returncode == 0
        connection = trial.connection()
        notes = get(f"{connection['API_URL']}/rest/v1/notes", connection["ANON_KEY"])
        assert notes.json() == [{"id": 7}]
        assert trial.tenantry("down").returncode == 0


@pytest.mark.parametrize("broken", ["migrations/20260102000000_divide_by_zero.sql", "seed.sql"])
def test_broken_file_is_named_and_no_process_stays(trial: Trial, broken: str) -> None:
    trial.write(f"supabase/{broken}", "select 1 / 0;\n")

    failed = trial.up_detached()

    assert failed.returncode == 1
    assert f"{Path(broken).name} failed: " in failed.stderr
    assert "division by zero" in failed.stderr
    assert trial.processes() == []


def test_port_in_use_is_reported_in_one_line(trial: Trial) -> None:
    with socket.create_server(("127.0.0.1", trial.port + 1)):
        failed = trial.tenantry("up", f"--port={trial.port}")

    assert failed.returncode == 1
    assert failed.stderr.startswith(f"Error: Port {trial.port + 1} is in use")
    assert failed.stderr.count("\n") == 1
    assert trial.processes() == []


def test_ephemeral_emulator_does_not_affect_the_regular_one(trial: Trial) -> None:
    regular = trial.up()
    beside = Trial(trial.directory, trial.port + 10)

    started = beside.up_detached("--ephemeral")

    assert started.returncode == 0, started.stderr
    ephemeral = trial.tenantry("status", "--json", f"--port={beside.port}")
    assert f"http://127.0.0.1:{beside.port}" in ephemeral.stdout
    assert trial.connection()["API_URL"] == f"http://127.0.0.1:{trial.port}"
    [directory] = [Path(s.throw_away) for s in trial.states() if s.throw_away]
    assert (directory / "logs").stat().st_mode & 0o777 == 0o700

    assert trial.tenantry("down", f"--port={beside.port}").returncode == 0
    assert not directory.exists()
    assert regular.poll() is None
    regular.terminate()
    regular.communicate(timeout=30)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (None, "There are no functions: main.py is missing."),
        ("import missing_module\n", "functions/main.py cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_database_works_without_functions(
    trial: Trial, source: str | None, sentence: str
) -> None:
    main = trial.directory / "functions" / "main.py"
    main.unlink() if source is None else main.write_text(source)

    started = trial.up_detached("--ephemeral")

    assert started.returncode == 0, started.stderr
    assert sentence in started.stdout
    connection = trial.connection()
    api, key = connection["API_URL"], connection["ANON_KEY"]
    assert get(f"{api}/rest/v1/notes", key).ok
    reply = get(f"{api}/functions/v1/first-group", key)
    assert reply.status_code == 503
    assert reply.json()["message"].startswith(sentence)


@pytest.mark.skipif(not DEBIAN_15.is_dir(), reason="Debian's PostgreSQL 15 is not installed")
def test_another_postgres_can_be_chosen(trial: Trial) -> None:
    trial.env["TENANTRY_PG_BIN"] = str(DEBIAN_15)

    started = trial.up_detached("--ephemeral")

    assert started.returncode == 0, started.stderr
    with psycopg.connect(trial.connection()["DB_URL"]) as database:
        assert database.info.server_version // 10_000 == 15
        database.execute("alter role authenticator set pgrst.db_schemas = 'public'")
