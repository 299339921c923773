"""The database server: its cluster, its start, and further databases."""

import os
import pwd
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal, cast

import psutil
import psycopg
from psycopg import sql

from tenantry_cli.emulator.process import Child, runnable
from tenantry_cli.errors import TenantryError

DefaultPrivileges = Literal["current", "legacy"]

# The template of every further database. It has the tables of Auth and no migrations.
_PRISTINE = "tenantry_pristine"

# The password of `supabase start`. Only this machine can connect.
_PASSWORD = "postgres"  # noqa: S105  # nosec B105
_SUPERUSER = "supabase_admin"
# PostgreSQL refuses to run as root.
_UNPRIVILEGED = "nobody"

# The values of a small hosted project, so that limits show here first.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    # The path of a socket has at most 107 bytes. The directory of a project may be longer.
    "unix_socket_directories": "",
    "wal_level": "logical",
    "max_replication_slots": "5",
    "max_wal_senders": "10",
    "max_connections": "60",
    "max_locks_per_transaction": "64",
    "statement_timeout": "2min",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# At its end the server writes what it still has in memory. With a thousand tenants this takes
# longer than a minute on a busy machine, and a killed server reads its log for as long.
_WRITING_SECONDS = 600
_DISCARDING_SECONDS = 10
_THROW_AWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def chosen_default_privileges(exposes_new_tables: bool) -> DefaultPrivileges:
    """The default privileges of a new cluster: hosted Supabase has two variants."""
    told = "legacy" if exposes_new_tables else "current"
    chosen = os.environ.get("TENANTRY_DEFAULT_PRIVILEGES", told)
    if chosen not in ("current", "legacy"):
        raise TenantryError("TENANTRY_DEFAULT_PRIVILEGES must be `current` or `legacy`.")
    return cast(DefaultPrivileges, chosen)


@dataclass(frozen=True)
class Postgres:
    binaries: Path
    data: Path
    port: int
    durable: bool = True

    def url(self, database: str = "postgres", role: str = "postgres") -> str:
        return f"postgresql://{role}:{_PASSWORD}@127.0.0.1:{self.port}/{database}"

    def admin_url(self, database: str = "postgres") -> str:
        return self.url(database, _SUPERUSER)

    def start(
        self,
        log: Path,
        env: Mapping[str, str],
        report: Callable[[str], None] = lambda sentence: None,
    ) -> Child:
        major = self._major()
        if not (self.data / "PG_VERSION").exists():
            self._initialize()
        self._require_data_of(major)
        self._end_orphans()
        settings = _SETTINGS | ({} if self.durable else _THROW_AWAY)
        child = Child(
            "PostgreSQL",
            [
                *(self.binaries / "postgres", "-D", self.data, "-p", str(self.port)),
                *(f"--{name}={value}" for name, value in settings.items()),
            ],
            log=log,
            env=env,
            cwd=self.data.parent,
            user=_server_user(),
            # SIGINT is the fast shutdown: it ends sessions and loses no data.
            stop_signal=signal.SIGINT,
            stop_seconds=_WRITING_SECONDS if self.durable else _DISCARDING_SECONDS,
        )
        try:
            child.wait_until(self._answers, report)
        except BaseException:
            child.stop()
            raise
        return child

    def bootstrap(self, default_privileges: DefaultPrivileges) -> None:
        """Creates the roles and schemas of an empty Supabase project, if they are missing."""
        with psycopg.connect(self.admin_url()) as connection:
            if connection.execute("select to_regrole('authenticator')").fetchone() != (None,):
                return
            # One transaction, so that a crash leaves all of it or nothing.
            for script in (
                "roles.sql",
                "database.sql",
                "schemas.sql",
                "storage.sql",
                "services.sql",
                f"default_privileges_{default_privileges}.sql",
            ):
                connection.execute(_script(script))

    def complete_auth(self) -> None:
        """Replaces the helper functions of Auth by those of hosted Supabase, and adds columns
        and tables that only hosted Supabase has."""
        with psycopg.connect(self.admin_url()) as connection:
            connection.execute(_script("auth.sql"))
            if connection.execute("select to_regclass('auth.mfa_factors')").fetchone() == (
                None,
            ):
                connection.execute(_script("auth_tables.sql"))

    def keep_pristine(self) -> None:
        """Copies the database once, with the tables of Auth and without migrations."""
        with self._administer() as connection:
            if _exists(connection, _PRISTINE) or _is_migrated(self.admin_url()):
                return
            # A template must have no sessions. Auth connects again with its next query.
            connection.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
                "where datname = 'postgres' and pid <> pg_backend_pid()"
            )
            connection.execute(
                sql.SQL("create database {} template postgres is_template true").format(
                    sql.Identifier(_PRISTINE)
                )
            )

    def create_database(self, name: str, template: str = _PRISTINE) -> str:
        """Creates a copy of a database, and returns its URL as `postgres`.

        Without a template it has no migrations. Settings of roles are not copied.
        """
        with self._administer() as connection:
            connection.execute(
                sql.SQL("create database {} template {}").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        with psycopg.connect(self.admin_url(name)) as connection:
            connection.execute(_script("database.sql"))
        return self.url(name)

    def drop_database(self, name: str) -> None:
        with self._administer() as connection:
            connection.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )

    def _administer(self) -> psycopg.Connection:
        """A session in template1, which is never copied or dropped."""
        return psycopg.connect(self.admin_url("template1"), autocommit=True)

    def _initialize(self) -> None:
        user = _server_user()
        draft = self.data.with_name(f"{self.data.name}.draft")
        password = self.data.with_name(f"{self.data.name}.password")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        password.touch(mode=0o600)
        password.write_text(_PASSWORD)
        if user is not None:
            shutil.chown(draft, user)
            shutil.chown(password, user)
        try:
            with runnable(self.binaries / "initdb", user):
                done = subprocess.run(
                    [
                        *(self.binaries / "initdb", "-D", draft, "-U", _SUPERUSER),
                        *("--auth=scram-sha-256", f"--pwfile={password}"),
                        *("--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"),
                        *([] if self.durable else ["--no-sync"]),
                    ],
                    capture_output=True,
                    text=True,
                    cwd=self.data.parent,
                    env={"LC_ALL": "C.UTF-8"},
                    user=user,
                    group=None if user is None else pwd.getpwnam(user).pw_gid,
                    extra_groups=None if user is None else [],
                )
        finally:
            password.unlink()
        if done.returncode:
            raise TenantryError(
                f"initdb could not create the database files in {self.data.parent} "
                f"({_first_error(done)}). Check that the disk has space, and that "
                f"{self.binaries} has the programs of one version of PostgreSQL."
            )
        # A rename is atomic: the cluster is complete as soon as its directory exists.
        draft.rename(self.data)

    def _major(self) -> str:
        """The major version of the programs."""
        program = self.binaries / "postgres"
        with runnable(program):
            done = subprocess.run([program, "--version"], capture_output=True, text=True)
        found = re.search(r"PostgreSQL\) (\d+)", done.stdout)
        if done.returncode or found is None:
            shown = (done.stderr or done.stdout).strip()[-300:] or "it printed nothing"
            raise TenantryError(
                f"{program} --version failed with status {done.returncode} ({shown}). Name a "
                "folder with the programs of PostgreSQL in TENANTRY_PG_BIN, or unset it."
            )
        return found[1]

    def _require_data_of(self, major: str) -> None:
        version = (self.data / "PG_VERSION").read_text().strip()
        if version != major:
            raise TenantryError(
                f"The data in {self.data} belongs to PostgreSQL {version}, and the programs "
                f"are of version {major}. Use version {version}, or --ephemeral, or `tenantry "
                "reset`, which empties the database."
            )

    def _end_orphans(self) -> None:
        """Ends the sessions of a killed server, which still hold its shared memory."""
        if not (self.data / "postmaster.pid").exists():
            return
        orphans = []
        for process in psutil.process_iter():
            try:
                if process.name() == "postgres" and process.cwd() == str(self.data.resolve()):
                    process.send_signal(signal.SIGQUIT)
                    orphans.append(process)
            except (psutil.AccessDenied, psutil.NoSuchProcess):
                continue
        psutil.wait_procs(orphans, timeout=10)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.admin_url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


def _first_error(done: subprocess.CompletedProcess[str]) -> str:
    found = re.search(r"(?:FATAL|PANIC|error): +(.+)", done.stderr)
    lines = (done.stderr or done.stdout).strip().splitlines()
    return found[1] if found else lines[-1] if lines else f"status {done.returncode}"


def cluster_directory(state: Path, fallback: Path) -> Path:
    """The directory of the cluster: in `state`, if the user of the server can reach it."""
    user = _server_user()
    if user is None or all(_can_pass(directory, user) for directory in (state, *state.parents)):
        return state / "postgres"
    fallback.mkdir(mode=0o711, parents=True, exist_ok=True)
    return fallback / "postgres"


def _server_user() -> str | None:
    return _UNPRIVILEGED if os.geteuid() == 0 else None


def _can_pass(directory: Path, user: str) -> bool:
    status = directory.stat()
    if status.st_uid == pwd.getpwnam(user).pw_uid:
        return bool(status.st_mode & 0o100)
    return bool(status.st_mode & 0o001)


def _exists(connection: psycopg.Connection, database: str) -> bool:
    found = connection.execute("select from pg_database where datname = %s", [database])
    return found.fetchone() is not None


def _is_migrated(url: str) -> bool:
    with psycopg.connect(url) as connection:
        history = sql.Identifier("supabase_migrations", "schema_migrations")
        name = history.as_string(connection)
        if connection.execute("select to_regclass(%s)", [name]).fetchone() == (None,):
            return False
        query = sql.SQL("select from {} limit 1").format(history)
        return connection.execute(query).fetchone() is not None


def _script(name: str) -> bytes:
    return resources.files(__package__).joinpath("bootstrap", name).read_bytes()
