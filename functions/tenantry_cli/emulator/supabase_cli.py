"""The Supabase CLI, which applies migrations and the seed, and compares databases."""

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from tenantry_cli.emulator.components import Components
from tenantry_cli.emulator.workdir import push_folder
from tenantry_cli.errors import TenantryError
from tenantry_cli.migration_files import migrations_in

NO_TELEMETRY = {
    "DO_NOT_TRACK": "1",
    "SUPABASE_TELEMETRY_DISABLED": "1",
    "SUPABASE_NO_UPDATE_NOTIFIER": "1",
}
# The lines with which the CLI announces a file, and the kind of file.
_STEPS = {"Applying migration": "Migration", "Seeding data from": "Seed"}
_SHOWN_FILES = 4
_SHOWN_LINES = 12
_SHOWN_CHARACTERS = 300
_CHATTER = (
    *("Target:", "Connecting to", "Confirmed by", *_STEPS, "NOTICE", "Try rerunning"),
    "Skipping migration",
    # The seed is optional.
    "WARN: no files matched",
)


@dataclass(frozen=True)
class Push:
    """What a push has applied, and why it applied nothing."""

    applied: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    # What was left out of the files, if anything was.
    left_out: str = ""
    # What the server has warned of meanwhile. The CLI does not show it.
    server_warnings: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        if self.warnings:
            return "No migration was applied."
        if not self.applied:
            return "There is no new migration."
        shown = self.applied
        if len(shown) > _SHOWN_FILES:
            shown = (*shown[:1], "…", *shown[1 - _SHOWN_FILES :])
        return f"Applied {len(self.applied)}: {', '.join(shown)}"


def push_migrations(
    components: Components,
    *,
    root: Path,
    database_url: str,
    env: Mapping[str, str],
    replaced: Mapping[Path, str] | None = None,
) -> Push:
    """Applies the pending migrations, and the seed once. `replaced` has another text of files.

    A file that fails changes nothing. The files before it stay applied. If the database has
    migrations whose files are gone, nothing is applied, because their order is unknown.
    """
    if missing := _without_file(root, database_url):
        return Push(
            warnings=(
                f"The database has {'migrations' if missing[1:] else 'a migration'} without a "
                f"file in supabase/migrations: {', '.join(missing)}. Files of another git "
                "branch are the usual reason. New migrations were not applied. Bring the files "
                "back and start again, or run `tenantry reset`, which empties this project's "
                "database.",
            )
        )
    with push_folder(root, replaced) as folder:
        done = _run(
            components,
            *("push", "--include-all", "--include-seed", "--yes"),
            *("--workdir", folder, f"--remote={database_url}?sslmode=disable"),
            folder=folder,
            env=env,
        )
    if done.returncode:
        raise TenantryError(_failure(done.stdout))
    return Push(tuple(re.findall(r"Applying migration (\S+?\.sql)", done.stdout)))


def _without_file(root: Path, database_url: str) -> list[str]:
    """The applied migrations that have no file."""
    history = sql.Identifier("supabase_migrations", "schema_migrations")
    with psycopg.connect(database_url) as connection:
        name = history.as_string(connection)
        if connection.execute("select to_regclass(%s)", [name]).fetchone() == (None,):
            return []
        applied = connection.execute(
            sql.SQL("select version, name from {} order by version").format(history)
        ).fetchall()
    files = migrations_in(root / "supabase" / "migrations")
    versions = {file.name.split("_")[0] for file in files}
    return [f"{version}_{name}" for version, name in applied if version not in versions]


def difference(
    components: Components, from_url: str, to_url: str, schemas: Sequence[str] = ()
) -> str:
    """The statements that turn one database into the other. Empty if both are equal.

    Only those in the named schemas, if there are any.

    The CLI does not compare data, role settings, `auth` or the objects of extensions.
    """
    with tempfile.TemporaryDirectory(prefix="tenantry-") as scratch:
        output = Path(scratch, "difference.sql")
        done = _run(
            components,
            *("diff", "--output", output),
            *("--from", _without_tls(from_url), "--to", _without_tls(to_url)),
            *([f"--schema={','.join(schemas)}"] if schemas else []),
            folder=scratch,
            env=quiet_environment(scratch),
        )
        # Standard output is mostly notices. Only the file shows whether there is a difference.
        if done.returncode or not output.exists():
            raise TenantryError(f"The databases could not be compared:\n{done.stdout}")
        return output.read_text()


def quiet_environment(home: str) -> dict[str, str]:
    """An environment for the Supabase CLI: it keeps files in `home` and sends no telemetry."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": home,
        "LC_ALL": "C.UTF-8",
        **NO_TELEMETRY,
        "SUPABASE_HOME": home,
    }


def _without_tls(url: str) -> str:
    """The emulator has no TLS. The URL of another server says itself what it wants."""
    return url if "?" in url or "@127.0.0.1:" not in url else f"{url}?sslmode=disable"


def _run(
    components: Components, *arguments: str | Path, folder: str | Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Runs `supabase db`. Errors are in stdout too. The CLI leaves files in HOME and TMPDIR."""
    return subprocess.run(
        [components.supabase, "db", *arguments, "--agent", "no"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={**env, "TMPDIR": env["HOME"]},
    )


def _failure(output: str) -> str:
    announced = re.findall(rf"({'|'.join(_STEPS)}) (\S+?\.sql)", output)
    where = "The migrations could not be applied"
    if announced:
        step, file = announced[-1]
        where = f"{_STEPS[step]} {file} failed"
    lines = [line for line in output.splitlines() if line and not line.startswith(_CHATTER)]
    # The CLI shows the statement that failed, which may be a whole file.
    if len(lines) > _SHOWN_LINES:
        lines = [*lines[:_SHOWN_LINES], "…"]
    # The error says at its end what to do. The CLI does not show its hint.
    return f"{where}: " + "\n".join(
        line if line.startswith("ERROR") else line[:_SHOWN_CHARACTERS] for line in lines
    )
