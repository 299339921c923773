"""The Supabase CLI, which applies migrations and the seed, and compares databases."""

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tenantry_cli.emulator.components import Components
from tenantry_cli.errors import TenantryError

# The lines with which the CLI announces a file, and the kind of file.
_STEPS = {"Applying migration": "Migration", "Seeding data from": "Seed"}
_CHATTER = ("Target:", "Connecting to", "Confirmed by", *_STEPS, "NOTICE", "Try rerunning")


def push_migrations(
    components: Components, *, root: Path, database_url: str, env: Mapping[str, str]
) -> None:
    """Applies the pending migrations, and the seed once.

    A file that fails changes nothing. The files before it stay applied.
    """
    done = _run(
        components,
        *("push", "--include-all", "--include-seed", "--yes"),
        *("--workdir", root, f"--remote={database_url}?sslmode=disable"),
        folder=root,
        env=env,
    )
    if done.returncode:
        raise TenantryError(_failure(done.stdout))


def difference(components: Components, from_url: str, to_url: str) -> str:
    """The statements that turn one database into the other. Empty if both are equal.

    The CLI does not compare data, role settings, `auth` or the objects of extensions.
    """
    with tempfile.TemporaryDirectory(prefix="tenantry-") as scratch:
        output = Path(scratch, "difference.sql")
        done = _run(
            components,
            *("diff", "--output", output),
            *("--from", f"{from_url}?sslmode=disable", "--to", f"{to_url}?sslmode=disable"),
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
        "DO_NOT_TRACK": "1",
        "SUPABASE_TELEMETRY_DISABLED": "1",
        "SUPABASE_NO_UPDATE_NOTIFIER": "1",
        "SUPABASE_HOME": home,
    }


def _run(
    components: Components, *arguments: str | Path, folder: str | Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Runs `supabase db`. Errors are in stdout too."""
    return subprocess.run(
        [components.supabase, "db", *arguments, "--agent", "no"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=env,
    )


def _failure(output: str) -> str:
    announced = re.findall(rf"({'|'.join(_STEPS)}) (\S+?\.sql)", output)
    where = "The migrations could not be applied"
    if announced:
        step, file = announced[-1]
        where = f"{_STEPS[step]} {file} failed"
    lines = [line for line in output.splitlines() if line and not line.startswith(_CHATTER)]
    return f"{where}: " + "\n".join(lines)
