"""All components: started in the order of their dependencies, stopped in reverse."""

import fcntl
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType

import psutil
import psycopg
import requests
from rich.console import Console

from tenantry_cli.configuration import Configuration
from tenantry_cli.emulator.auth import start_auth
from tenantry_cli.emulator.bundle import copy_supabase_js
from tenantry_cli.emulator.components import Components, install_components
from tenantry_cli.emulator.exposure import exposed, unlisted
from tenantry_cli.emulator.keys import (
    Keys,
    SigningAlgorithm,
    chosen_algorithm,
    keys_file,
    load_keys,
)
from tenantry_cli.emulator.paths import AUTH, DEFAULT_FUNCTIONS, FUNCTIONS, REST
from tenantry_cli.emulator.ports import DEFAULT, Ports, claim_free, claim_soon
from tenantry_cli.emulator.postgres import (
    DefaultPrivileges,
    Postgres,
    chosen_default_privileges,
    cluster_directory,
)
from tenantry_cli.emulator.postgrest import start_postgrest
from tenantry_cli.emulator.process import Child, Children
from tenantry_cli.emulator.proxies import functions_environment
from tenantry_cli.emulator.push import push_project
from tenantry_cli.emulator.state import (
    RUN_VARIABLE,
    State,
    ephemeral_file,
    read_state,
    regular_file,
    sweep,
    write_state,
)
from tenantry_cli.emulator.supabase_cli import Push
from tenantry_cli.errors import TenantryError, describe_os_error
from tenantry_cli.http_client import HttpClient
from tenantry_cli.migration_files import has_tenantry
from tenantry_cli.progress import telling
from tenantry_cli.project import Project, find_project

_UPSTREAM_TIMEOUT_SECONDS = "10"


class EndedError(TenantryError):
    """The emulator could not start, or one of its components has ended."""


@dataclass(frozen=True)
class Stack:
    """A running emulator. `with Stack.start() as stack:` starts one."""

    ports: Ports
    keys: Keys
    components: Components
    postgres: Postgres
    children: tuple[Child, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.gateway}"

    @property
    def functions_url(self) -> str:
        return f"{self.api_url}{FUNCTIONS}"

    @property
    def postgrest_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.postgrest}"

    @property
    def auth_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.auth}"

    @property
    def db_url(self) -> str:
        return self.postgres.url()

    @property
    def admin_db_url(self) -> str:
        return self.postgres.admin_url()

    @property
    def anon_key(self) -> str:
        return self.keys.anon_key

    @property
    def service_role_key(self) -> str:
        return self.keys.service_role_key

    @property
    def publishable_key(self) -> str:
        return self.keys.publishable_key

    @property
    def secret_key(self) -> str:
        return self.keys.secret_key

    @property
    def jwt_secret(self) -> str:
        return self.keys.jwt_secret

    @property
    def connection(self) -> dict[str, str]:
        """What a client needs, by the names of `supabase status -o json`."""
        return {
            "API_URL": self.api_url,
            "REST_URL": f"{self.api_url}{REST}",
            "FUNCTIONS_URL": self.functions_url,
            "DB_URL": self.db_url,
            "PUBLISHABLE_KEY": self.publishable_key,
            "SECRET_KEY": self.secret_key,
            "ANON_KEY": self.anon_key,
            "SERVICE_ROLE_KEY": self.service_role_key,
            "JWT_SECRET": self.jwt_secret,
            "POSTGREST_URL": self.postgrest_url,
            "AUTH_URL": self.auth_url,
            "ADMIN_DB_URL": self.admin_db_url,
            # The program, for commands such as `db push`.
            "SUPABASE_CLI": str(self.components.supabase),
        }

    @classmethod
    @contextmanager
    def start(
        cls,
        project: Project | None = None,
        *,
        port: int | None = DEFAULT,
        ephemeral: bool = False,
        empty: bool = False,
        leave_out_missing: bool = False,
        default_privileges: DefaultPrivileges | None = None,
        signs: SigningAlgorithm | None = None,
        console: Console | None = None,
        report: Callable[[str], None] | None = None,
    ) -> Iterator["Stack"]:
        """Starts every component, and stops them at the end of the `with`.

        Without a port, free ports are used. An ephemeral emulator has its own database,
        which is removed at the end. `empty` erases the database of the project first.
        `leave_out_missing` leaves out statements that need what the emulator lacks.
        The default of `default_privileges` is TENANTRY_DEFAULT_PRIVILEGES, else what the
        project's config.toml says; that of `signs` is TENANTRY_JWT_ALGORITHM. `report`
        receives each step as a sentence.
        """
        project = project or find_project()
        configuration = project.configuration
        default_privileges = default_privileges or chosen_default_privileges(
            configuration.exposes_new_tables
        )
        signs = signs or chosen_algorithm()
        console = console or Console(stderr=True, quiet=True)
        components = install_components(console)
        sweep(project)
        with ExitStack() as cleanup:
            home = cleanup.enter_context(_home(project, ephemeral))
            if empty:
                _erase(home.cluster)
            report = report or console.print
            if port is None:
                ports, claim = claim_free()
            else:
                ports = Ports(port)
                claim = claim_soon(ports, report)
            cleanup.enter_context(claim)
            keys = load_keys(project.state)
            launch = _Launch(
                *(project, configuration, components, ports, home, keys, signs),
                *(leave_out_missing, cleanup),
            )
            try:
                stack = launch.run(default_privileges, report)
            except TenantryError as error:
                raise EndedError(str(error)) from error
            except OSError as error:
                raise EndedError(str(describe_os_error(error))) from error
            except psycopg.Error as error:
                raise EndedError(_describe_database_error(error, launch)) from error
            yield stack


def _describe_database_error(error: psycopg.Error, launch: "_Launch") -> str:
    message = error.diag.message_primary or str(error).splitlines()[0]
    return (
        f"The database in {launch.home.cluster} could not be prepared ({message}). If its disk "
        "is full, free some space and start again. Otherwise `tenantry reset` empties the "
        "database."
    )


@dataclass(frozen=True)
class _Home:
    """The directories of one emulator."""

    cluster: Path
    logs: Path
    scratch: Path
    throw_away: Path | None


@contextmanager
def _home(project: Project, ephemeral: bool) -> Iterator[_Home]:
    if ephemeral:
        with tempfile.TemporaryDirectory(
            prefix="tenantry-", ignore_cleanup_errors=True
        ) as name:
            directory = Path(name)
            if os.geteuid() == 0:
                directory.chmod(0o711)
            logs = directory / "logs"
            # The logs quote tokens and rows.
            logs.mkdir(mode=0o700)
            yield _Home(directory / "postgres", logs, directory, directory)
        return
    with _cluster(project) as cluster:
        logs = project.state / "logs"
        logs.mkdir(exist_ok=True)
        logs.chmod(0o700)
        scratch = project.state / "components"
        scratch.mkdir(mode=0o700, exist_ok=True)
        yield _Home(cluster, logs, scratch, None)


@contextmanager
def _cluster(project: Project) -> Iterator[Path]:
    """The directory of the project's database, while no other process has it."""
    with (project.state / "emulator.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise TenantryError(_already_up(project)) from None
        yield cluster_directory(project.state, project.database_of_root)


def erase_database(project: Project) -> None:
    """Erases the database of a project whose emulator does not run."""
    with _cluster(project) as cluster:
        _erase(cluster)


def _erase(cluster: Path) -> None:
    # A rename is atomic: an interrupted removal leaves no damaged database.
    erased = cluster.with_name(f"{cluster.name}.erased")
    shutil.rmtree(erased, ignore_errors=True)
    if cluster.exists():
        cluster.rename(erased)
    shutil.rmtree(erased, ignore_errors=True)


def _already_up(project: Project) -> str:
    state = read_state(regular_file(project))
    where = f" on port {state.gateway_port}" if state else ""
    return (
        f"The emulator of this project is already up{where}. `tenantry status` shows it, "
        "`tenantry down` stops it, `tenantry up --ephemeral --port N` starts another one."
    )


@dataclass(frozen=True)
class _Launch:
    project: Project
    configuration: Configuration
    components: Components
    ports: Ports
    home: _Home
    keys: Keys
    signs: SigningAlgorithm
    leave_out_missing: bool
    cleanup: ExitStack
    run_id: str = field(default_factory=lambda: secrets.token_hex(16))
    children: Children = field(default_factory=Children)

    def run(
        self, default_privileges: DefaultPrivileges, report: Callable[[str], None]
    ) -> Stack:
        postgres = Postgres(
            self.components.postgres,
            self.home.cluster,
            self.ports.database,
            durable=self.home.throw_away is None,
        )
        stack = Stack(self.ports, self.keys, self.components, postgres)
        path, state = self._record()

        report("Starting PostgreSQL, Auth, PostgREST, the functions and the gateway …")
        database = self._keep(postgres.start(self._log("postgres"), self._env(), report))
        postgres.bootstrap(default_privileges)
        auth = self._auth(stack)
        # Auth creates its tables meanwhile. The functions and the gateway do not need them.
        functions = self._functions(stack)
        gateway = self._gateway(stack)
        auth.wait_until(lambda: _status(f"{stack.auth_url}{AUTH}/health") == 200, report)
        postgres.complete_auth()
        postgres.keep_pristine()

        report("Applying supabase/migrations …")
        with telling(report, "Still applying supabase/migrations"):
            push = self._push(stack)
        report(push.summary)
        for warning in push.server_warnings:
            report(f"Warning: {warning}")
        schemas, missing = exposed(self.configuration.schemas, stack.db_url)
        postgrest = self._postgrest(stack, schemas)
        postgrest.wait_until(
            lambda: _status(f"http://127.0.0.1:{self.ports.postgrest_admin}/ready") == 200,
            report,
            "reads the schemas of all tenants",
        )
        gateway.wait_until(lambda: _status(stack.api_url) is not None, report)
        functions.wait_until(lambda: _status(self._functions_url) is not None, report)

        stack = replace(
            stack,
            children=(database, auth, postgrest, functions, gateway),
            warnings=(
                *push.warnings,
                *([push.left_out] if push.left_out else []),
                *missing,
                *unlisted(schemas, stack.db_url),
                *_not_followed(self.configuration),
                *functions_environment(os.environ)[1],
                *self._warnings(),
            ),
        )
        write_state(path, replace(state, connection=stack.connection, warnings=stack.warnings))
        return stack

    def _push(self, stack: Stack) -> Push:
        return push_project(
            self.components,
            stack.postgres,
            self.project.root,
            env=self._env(),
            leave_out_missing=self.leave_out_missing,
            log=self._log("postgres"),
        )

    @property
    def _functions_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.functions}{FUNCTIONS}/"

    def _record(self) -> tuple[Path, State]:
        """Writes the state before the first child starts, so that every child is known."""
        throw_away = self.home.throw_away
        path = (
            regular_file(self.project)
            if throw_away is None
            else ephemeral_file(self.project, self.ports.gateway)
        )
        state = State(
            run_id=self.run_id,
            gateway_port=self.ports.gateway,
            supervisor_pid=os.getpid(),
            supervisor_started=psutil.Process().create_time(),
            throw_away=None if throw_away is None else str(throw_away),
        )
        write_state(path, state)
        self.cleanup.push(partial(_close_state, path, state))
        # A signal may come after a child has started and before its end is registered.
        self.cleanup.callback(state.end_leftovers)
        return path, state

    def _auth(self, stack: Stack) -> Child:
        return self._keep(
            start_auth(
                self.components,
                port=self.ports.auth,
                database_url=stack.postgres.url(role="supabase_auth_admin"),
                jwt_secret=self.keys.jwt_secret,
                api_url=stack.api_url,
                site=self.configuration.site,
                settings=self.configuration.auth,
                directory=self.home.scratch / "auth",
                log=self._log("auth"),
                env=self._env(),
            )
        )

    def _postgrest(self, stack: Stack, schemas: Sequence[str]) -> Child:
        return self._keep(
            start_postgrest(
                self.components,
                ports=self.ports,
                database_url=stack.postgres.url(role="authenticator"),
                verifying_keys=self.keys.verifying_keys,
                api_url=stack.api_url,
                log=self._log("postgrest"),
                env=self._env(),
                schemas=schemas,
                extra_search_path=self.configuration.extra_search_path,
                max_rows=self.configuration.max_rows,
            )
        )

    def _functions(self, stack: Stack) -> Child:
        settings = {
            "SUPABASE_URL": stack.api_url,
            "SUPABASE_ANON_KEY": self.keys.anon_key,
            "TENANTRY_ALLOWED_ORIGINS": "*",
            "TENANTRY_UPSTREAM_TIMEOUT_SECONDS": _UPSTREAM_TIMEOUT_SECONDS,
            "TENANTRY_FUNCTIONS_URL": stack.functions_url,
        }
        with suppress(OSError):
            # Only a deploy needs the copy: these functions get the path.
            copy_supabase_js(self.components, self.project)
        source = self.project.functions / "main.py"
        if not source.exists() and has_tenantry(self.project):
            source = DEFAULT_FUNCTIONS
        return self._python(
            "functions",
            *("--port", str(self.ports.functions), "--source", str(source)),
            *("--swagger-ui", str(self.components.swagger_ui)),
            *("--supabase-js", str(self.components.supabase_js)),
            env={**functions_environment(os.environ)[0], **self._env(), **settings},
        )

    def _gateway(self, stack: Stack) -> Child:
        functions = f"http://127.0.0.1:{self.ports.functions}"
        return self._python(
            "gateway",
            *("--port", str(self.ports.gateway), "--functions", functions),
            *("--postgrest", stack.postgrest_url, "--auth", stack.auth_url),
            *("--keys", str(keys_file(self.project.state)), "--signs", self.signs),
            *("--api-url", stack.api_url, "--site-url", self.configuration.site.url),
            *("--auth-settings", json.dumps(asdict(self.configuration.auth))),
            *("--database-url", stack.postgres.url(role="supabase_auth_admin")),
            env=self._env(),
        )

    def _python(self, name: str, *arguments: str, env: dict[str, str]) -> Child:
        package_root = Path(__file__).resolve().parents[2]
        return self._keep(
            Child(
                f"The {name}",
                [sys.executable, "-m", f"{__package__}.{name}", *arguments],
                log=self._log(name),
                env={**env, "PYTHONPATH": str(package_root), "PYTHONUNBUFFERED": "1"},
                cwd=self.project.root,
                # The quick shutdown of both servers. gunicorn's graceful one waits for idle
                # connections.
                stop_signal=signal.SIGINT,
            )
        )

    def _keep(self, child: Child) -> Child:
        self.children.add(child)
        self.cleanup.callback(self.children.stop, child)
        return child

    def _log(self, name: str) -> Path:
        return self.home.logs / f"{name}.log"

    def _env(self) -> dict[str, str]:
        """Almost nothing of the caller's environment, so that the emulator always works the
        same."""
        return {
            RUN_VARIABLE: self.run_id,
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.home.scratch),
            "LC_ALL": "C.UTF-8",
            # No telemetry, no check for updates.
            "DO_NOT_TRACK": "1",
            "SUPABASE_TELEMETRY_DISABLED": "1",
            "SUPABASE_NO_UPDATE_NOTIFIER": "1",
            "SUPABASE_HOME": str(self.home.scratch / "supabase"),
        }

    def _warnings(self) -> tuple[str, ...]:
        with HttpClient(timeout=10) as http:
            reply = http.request("GET", self._functions_url)
        return () if reply.ok else (reply.json()["message"],)


def _not_followed(configuration: Configuration) -> list[str]:
    if not configuration.not_followed:
        return []
    return [
        "The emulator does not follow these settings of supabase/config.toml: "
        f"{', '.join(configuration.not_followed)}."
    ]


def _status(url: str) -> int | None:
    try:
        with HttpClient(timeout=5) as http:
            return http.request("GET", url).status_code
    except requests.RequestException:
        return None


def _close_state(
    path: Path,
    state: State,
    kind: type[BaseException] | None,
    error: BaseException | None,
    traceback: TracebackType | None,
) -> None:
    """Keeps why an emulator ended, for `tenantry status`; a request to stop leaves nothing."""
    if isinstance(error, EndedError):
        write_state(path, replace(state, end=str(error)))
    else:
        path.unlink(missing_ok=True)
