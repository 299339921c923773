"""The project's migrations and its seed, applied by the Supabase CLI."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tenantry_cli.emulator.parts import Parts
from tenantry_cli.errors import TenantryError


def push_migrations(
    parts: Parts, *, root: Path, database_url: str, env: Mapping[str, str]
) -> None:
    """Applies what is pending, the seed once; a failing file changes nothing and those before
    it stay."""
    done = subprocess.run(
        [
            *(parts.supabase, "db", "push", "--include-all", "--include-seed"),
            *("--yes", "--agent", "no"),
            *("--workdir", root, f"--remote={database_url}?sslmode=disable"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
        cwd=root,
    )
    if done.returncode:
        raise TenantryError(_sentence(done.stdout))


def _sentence(output: str) -> str:
    begun = re.findall(rf"({'|'.join(_STEPS)}) (\S+?\.sql)", output)
    where = "The migrations could not be applied"
    if begun:
        step, file = begun[-1]
        where = f"{_STEPS[step]} {file} failed"
    said = [line for line in output.splitlines() if line and not line.startswith(_CHATTER)]
    return f"{where}: " + "\n".join(said)


# How the CLI announces a file, and what that is.
_STEPS = {"Applying migration": "Migration", "Seeding data from": "Seed"}
_CHATTER = ("Target:", "Connecting to", "Confirmed by", *_STEPS, "NOTICE", "Try rerunning")
