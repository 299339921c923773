"""`tenantry up` with real processes, in a directory with a space in its name."""

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import jwt
import psutil
import psycopg
import pytest
import requests
from rich.console import Console

from support.trial import Trial
from support.waiting import until
from tenantry_cli.emulator.components import install_components
from tenantry_cli.emulator.ports import PortInUseError
from tenantry_cli.emulator.supabase_cli import push_migrations, quiet_environment
from tenantry_cli.errors import TenantryError
from tenantry_cli.project import Project, find_project

pytestmark = pytest.mark.long

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
    # Nobody commits the keys.
    assert (trial.project.state / ".gitignore").read_text() == "*\n"
    # The logs quote tokens and rows.
    assert (trial.project.state / "logs").stat().st_mode & 0o777 == 0o700
    assert get(f"{api}/rest/v1/notes", key).json() == []
    assert sign_up(connection, "ada@example.com").ok
    first = get(f"{api}/functions/v1/first-group/some/operation", key).json()
    assert first == {"group": "first", "path": "/some/operation"}
    assert get(f"{api}/functions/v1/second-group/notes", key).json() == {"notes": []}
    # Nobody commits compiled files.
    assert [each.name for each in trial.project.functions.iterdir()] == ["main.py"]
    push_to_its_port(trial, connection)

    # The server writes its memory to a slow disk.
    writer = checkpointer(trial)
    writer.suspend()
    try:
        running.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(12)
    finally:
        # It ends by itself if the server was killed.
        writer.resume()
    output, _ = running.communicate(timeout=30)

    assert running.returncode == 0, output
    assert trial.processes() == []
    log = (trial.project.state / "logs" / "postgres.log").read_text()
    assert "database system is shut down" in log
    stopped = trial.tenantry("status", "--json")
    assert stopped.returncode == 1
    assert json.loads(stopped.stdout) == {"running": False, "reason": None}
    assert "No emulator of this project is running" in stopped.stderr


def checkpointer(trial: Trial) -> psutil.Process:
    for process in trial.processes():
        # Some processes end meanwhile.
        with suppress(psutil.NoSuchProcess):
            if "checkpointer" in " ".join(process.cmdline()):
                return process
    raise AssertionError("There is no checkpointer.")


def push_to_its_port(trial: Trial, connection: dict[str, str]) -> None:
    """As a user of the CLI does, with the one that `tenantry status` shows."""
    trial.write("supabase/migrations/20260202000000_more.sql", "create table public.more ();\n")
    remote = f"--remote={connection['DB_URL']}?sslmode=disable"
    pushed = subprocess.run(
        [connection["SUPABASE_CLI"], "db", "push", remote, "--yes"],
        capture_output=True,
        text=True,
        cwd=trial.directory,
        env=quiet_environment(str(trial.directory)),
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert pushed.returncode == 0, pushed.stderr
    with psycopg.connect(connection["DB_URL"]) as database:
        assert database.execute("select to_regclass('more')").fetchone() != (None,)


@pytest.mark.parametrize(
    ("options", "has_begun"),
    [
        ((), lambda trial: "postgres" in _names(trial)),
        (("--detach",), lambda trial: (trial.project.state / "logs/auth.log").exists()),
    ],
    ids=["initdb", "detached, Auth"],
)
def test_interrupted_start_is_reported_and_leaves_no_process(
    trial: Trial, options: tuple[str, ...], has_begun: Callable[[Trial], bool]
) -> None:
    running = trial.begin_up(*options)
    until(lambda: has_begun(trial))
    starting = trial.tenantry("status")
    assert f"The emulator on port {trial.port} is still starting" in starting.stderr

    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=60)

    assert running.returncode == 130, output
    assert output.endswith("stopped before it was ready\n")
    # The programs that initdb has started end when it has ended.
    until(lambda: trial.processes() == [])


def _names(trial: Trial) -> Iterator[str]:
    for process in trial.processes():
        # Some processes end meanwhile.
        with suppress(psutil.NoSuchProcess):
            yield process.name()


def test_demo_succeeds_although_no_proxy_answers(trial: Trial) -> None:
    project = find_project()
    for folder in ("functions", "supabase"):
        shutil.copytree(project.root / folder, trial.directory / folder, dirs_exist_ok=True)
    # The installed package has one, too.
    (trial.directory / "functions" / "main.py").unlink()
    # All requests go to this machine, in the command and in the functions.
    trial.env.update(dict.fromkeys(PROXY_VARIABLES, "http://127.0.0.1:9"))
    # httpx refuses the first in its usual installation, and the second always.
    trial.env |= {"ALL_PROXY": "socks5://127.0.0.1:9", "NO_PROXY": "[::1]"}
    running = trial.begin_up("--demo", "--ephemeral")

    output = trial.read_until(running, "The demo is finished.")

    assert "The demo stops here" not in output
    assert "The functions run without a proxy, because httpx cannot use the" in output
    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=30)
    assert running.returncode == 0, output


def test_detached_emulator_is_seeded_once_survives_a_power_failure_and_is_reset(
    trial: Trial,
) -> None:
    trial.write("supabase/seed.sql", "insert into public.notes values (7);\n")
    (trial.directory / "functions" / "main.py").unlink()
    first = trial.migration
    started = trial.up_detached()
    assert f"Applied 1: {first.name}" in started.stdout
    before = trial.connection()
    assert_works_without_functions(trial, started, before)
    assert sign_up(before, "ada@example.com").ok
    with psycopg.connect(before["DB_URL"]) as database:
        database.execute("insert into public.notes values (8)")
        # It belongs to the whole server, not to one database.
        database.execute("create role left_over")
    kill_as_in_a_power_failure(trial)

    # Another git branch.
    text = first.read_text()
    first.rename(first.with_name("20260202000000_create_notes.sql"))
    started = trial.up_detached()
    assert started.returncode == 0, started.stderr
    for shown in (started, trial.tenantry("status")):
        assert f"without a file in supabase/migrations: {first.stem}." in shown.stdout
        assert "`tenantry reset`, which empties this project's database" in shown.stdout
    assert trial.connection() == before
    assert notes(trial) == [7, 8]
    assert sign_up(before, "ada@example.com").status_code == 422

    # The emulator goes on, for clients that have its address and keys.
    reset = trial.tenantry("reset")
    assert reset.returncode == 0, reset.stderr
    assert "without a file" not in reset.stdout
    assert (trial.connection(), notes(trial)) == (before, [7])
    with psycopg.connect(before["DB_URL"]) as database:
        assert database.execute("select to_regrole('left_over')").fetchone() == (None,)

    # Ctrl-C ends the waiting only, and says so.
    runs = {state.run_id for state in trial.states()}
    waiting = trial.begin("reset")
    trial.read_until(waiting, "Emptying the database")
    waiting.send_signal(signal.SIGINT)
    output, _ = waiting.communicate(timeout=30)
    assert (waiting.returncode, output) == (
        130,
        "Interrupted. The emulator goes on: `tenantry status` shows when it is ready.\n",
    )
    until(
        lambda: any(s.run_id not in runs and s.connection for s in trial.states()), seconds=120
    )

    # A broken file ends it, and says why.
    trial.write("supabase/migrations/20260303000000_broken.sql", broken_sql())
    failed = trial.tenantry("reset")
    assert failed.returncode == 1
    for shown in (failed, trial.tenantry("status")):
        assert_file_is_named(shown.stderr, "20260303000000_broken.sql")
    assert trial.processes() == []

    first.write_text(text)
    other = Project(trial.directory / "other")
    (other.root / ".tenantry" / "postgres").mkdir(parents=True)
    done = trial.tenantry("reset")
    assert (done.returncode, done.stderr) == (0, "")
    assert "The database is empty. `tenantry up` applies" in done.stdout
    assert not (trial.project.state / "postgres").exists()
    assert (other.state / "postgres").exists()


def assert_works_without_functions(
    trial: Trial, started: subprocess.CompletedProcess[str], connection: dict[str, str]
) -> None:
    assert started.returncode == 0, started.stderr
    assert "ready" in started.stdout
    reason = "There are no functions: functions/main.py is missing."
    assert reason in started.stdout
    assert {"API_URL", "DB_URL", "JWT_SECRET", "PUBLISHABLE_KEY", "SECRET_KEY"} <= set(
        connection
    )
    for kept in ("ANON_KEY", "SERVICE_ROLE_KEY"):
        assert kept in connection
    shown = trial.tenantry("status").stdout
    assert "no Realtime, Storage, GraphQL, Edge Functions" in shown
    assert connection["PUBLISHABLE_KEY"] in shown

    second = trial.up_detached()
    assert second.returncode == 1
    assert f"already up on port {trial.port}" in second.stderr
    assert_only_functions_are_missing(connection, reason)


def assert_only_functions_are_missing(connection: dict[str, str], reason: str) -> None:
    api, key = connection["API_URL"], connection["ANON_KEY"]
    assert get(f"{api}/rest/v1/notes", key).ok
    reply = get(f"{api}/functions/v1/first-group", key)
    assert reply.status_code == 503
    assert reply.json()["message"].startswith(reason)


def kill_as_in_a_power_failure(trial: Trial) -> None:
    # The supervisor first, so that it stops nothing. Then PostgreSQL.
    (state,) = trial.states()
    os.kill(state.supervisor_pid, signal.SIGKILL)
    state.wait_until_gone()
    for process in trial.processes():
        # Some processes end by themselves after the others.
        with suppress(psutil.NoSuchProcess):
            if process.name() == "postgres":
                process.kill()
    killed = trial.tenantry("status")
    assert killed.returncode == 1
    assert f"Its process {state.supervisor_pid} was killed" in killed.stderr


def notes(trial: Trial) -> list[int]:
    connection = trial.connection()
    reply = get(f"{connection['API_URL']}/rest/v1/notes?order=id", connection["ANON_KEY"])
    return [row["id"] for row in reply.json()]


def broken_sql() -> str:
    lines = "\n".join(f"-- line {number}" for number in range(500))
    failing = "raise exception '%Write another number.', repeat('This divides by zero. ', 20);"
    return f"do $$ begin\n{lines}\n{failing} end $$;\n"


def assert_file_is_named(error: str, broken: str) -> None:
    assert f"{broken} failed: " in error
    assert "Write another number." in error
    # Not the whole file.
    assert error.count("\n") < 20


def test_broken_seed_is_named(trial: Trial, empty_project: str) -> None:
    trial.write("supabase/seed.sql", broken_sql())

    assert_file_is_named(push_failure(trial, empty_project), "seed.sql")
    assert trial.processes() == []


def test_missing_seed_is_not_mentioned_before_the_error(
    trial: Trial, empty_project: str
) -> None:
    trial.write("supabase/migrations/20260202000000_broken.sql", "select 1 / 0;\n")

    failure = push_failure(trial, empty_project)

    assert "20260202000000_broken.sql failed: ERROR: division by zero" in failure


def push_failure(trial: Trial, database_url: str) -> str:
    with pytest.raises(TenantryError) as failed:
        push_migrations(
            install_components(Console(quiet=True)),
            root=trial.directory,
            database_url=database_url,
            env=quiet_environment(str(trial.directory)),
        )
    return str(failed.value)


def test_port_in_use_is_reported_in_one_line(trial: Trial) -> None:
    with (
        socket.create_server(("127.0.0.1", trial.port + 1)) as server,
        socket.create_connection(
            server.getsockname(), source_address=("127.0.0.1", trial.port + 11)
        ),
    ):
        accepted, _ = server.accept()
        failed = trial.tenantry("up", f"--port={trial.port}")
        beside = trial.tenantry("up", f"--port={trial.port + 10}")
        assert not PortInUseError(trial.port + 11).is_passing
    accepted.close()
    # The side that closed first keeps its port for a minute, and `up` waits for it.
    assert PortInUseError(trial.port + 11).is_passing
    assert (failed.returncode, beside.returncode) == (1, 1)
    listener = f"by {psutil.Process().name()} (process {os.getpid()})"
    assert failed.stderr.startswith(f"Error: Port {trial.port + 1} is in use {listener}. Stop")
    assert f"{trial.port + 11} is in use for an outgoing connection {listener}" in beside.stderr
    assert "net.ipv4.ip_local_reserved_ports" in beside.stderr
    assert failed.stderr.count("\n") == beside.stderr.count("\n") == 1
    assert trial.processes() == []


def test_ephemeral_emulator_and_a_failed_demo_do_not_affect_the_regular_emulator(
    trial: Trial,
) -> None:
    # The demo fails in a project without our migrations and functions.
    regular = trial.up("--demo")
    trial.read_until(regular, "has no Tenantry")
    other_postgres = {"TENANTRY_PG_BIN": str(DEBIAN_15)} if DEBIAN_15.is_dir() else {}
    beside = Trial(
        trial.directory, trial.port + 10, {"TENANTRY_JWT_ALGORITHM": "HS256", **other_postgres}
    )
    trial.write("functions/main.py", "import missing_module\n")

    started = beside.up_detached("--ephemeral")

    assert started.returncode == 0, started.stderr
    ephemeral = trial.tenantry("status", "--json", f"--port={beside.port}")
    reason = "functions/main.py cannot be loaded: ModuleNotFoundError"
    assert reason in started.stdout
    assert_only_functions_are_missing(json.loads(ephemeral.stdout), reason)
    own = trial.connection()
    assert get(f"{own['API_URL']}/functions/v1/first-group", own["ANON_KEY"]).ok
    assert f"http://127.0.0.1:{beside.port}" in ephemeral.stdout
    assert trial.connection()["API_URL"] == f"http://127.0.0.1:{trial.port}"
    for connection, algorithm in (
        (trial.connection(), "ES256"),
        (json.loads(ephemeral.stdout), "HS256"),
    ):
        token = sign_up(connection, "ada@example.com").json()["access_token"]
        assert jwt.get_unverified_header(token)["alg"] == algorithm
        published = get(
            f"{connection['API_URL']}/auth/v1/.well-known/jwks.json", connection["ANON_KEY"]
        ).json()["keys"]
        assert len(published) == (1 if algorithm == "ES256" else 0)
    if other_postgres:
        with psycopg.connect(json.loads(ephemeral.stdout)["DB_URL"]) as database:
            assert database.info.server_version // 10_000 == 15
            database.execute("alter role authenticator set pgrst.db_schemas = 'public'")
    [directory] = [Path(s.throw_away) for s in trial.states() if s.throw_away]
    assert (directory / "logs").stat().st_mode & 0o777 == 0o700

    assert trial.tenantry("down", f"--port={beside.port}").returncode == 0
    assert not directory.exists()
    assert regular.poll() is None
    assert_end_of_a_component_is_reported(trial, regular)


def assert_end_of_a_component_is_reported(trial: Trial, running: subprocess.Popen[str]) -> None:
    for process in psutil.Process(running.pid).children():
        if process.name() == "postgrest":
            process.kill()

    output, _ = running.communicate(timeout=30)

    assert running.returncode == 1
    assert "PostgREST stopped with status -9" in output
    assert trial.processes() == []
    ended, as_json = trial.tenantry("status"), trial.tenantry("status", "--json")
    assert (ended.returncode, as_json.returncode) == (1, 1)
    assert f"The emulator on port {trial.port} has ended. PostgREST stopped" in ended.stderr
    assert "Start it again with `tenantry up`" in ended.stderr
    reason = json.loads(as_json.stdout)["reason"]
    # The last lines of the log of the part.
    assert reason.startswith("PostgREST stopped with status -9.\n  ")
    assert "Listening on port" in reason
