"""The two packages as a wheel installs them, with one more release."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from support.own_project import OwnProject
from tenantry import __version__

_FUNCTIONS = Path(__file__).resolve().parents[2] / "functions"
_MIGRATIONS = _FUNCTIONS.parent / "supabase" / "migrations"
NEWER = "0.1.1"
UPGRADE_FILE = "tenantry_0_1_1.sql"
UPGRADE = """\
create function public.count_tenants() returns bigint language sql
    return (select count(*) from public.tenants);
select tenancy.add_tenant_migration('tenantry_0002', 'create_labels', $tenant$
    create table labels (id uuid primary key);
$tenant$);
create or replace function tenancy.release() returns text immutable
    set search_path = '' language sql
as $$ select '0.1.1'; $$;
select tenancy.renew_creation_script();
"""
_CHANGELOG = """\
# Changelog

## [Unreleased]

Not yet.

## [0.1.1] - 2027-01-20

- `count_tenants` counts.

## [0.1.0] - 2026-12-01

The first release.
"""


@dataclass(frozen=True)
class ArtificialRelease:
    folder: Path

    @classmethod
    def create(cls, folder: Path) -> ArtificialRelease:
        for package in ("tenantry", "tenantry_cli"):
            shutil.copytree(
                _FUNCTIONS / package,
                folder / package,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        source = folder / "tenantry" / "__init__.py"
        source.write_text(source.read_text().replace(f'"{__version__}"', f'"{NEWER}"'))
        release = folder / "tenantry_cli" / "release"
        shutil.copytree(_MIGRATIONS, release / "migrations")
        (release / "migrations" / f"20270120000000_{UPGRADE_FILE}").write_text(UPGRADE)
        (release / "CHANGELOG.md").write_text(_CHANGELOG)
        return cls(folder)

    def run(self, project: OwnProject, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(self.folder)}
        environment.pop("SUPABASE_DB_URL", None)
        return subprocess.run(
            [sys.executable, "-m", "tenantry_cli", *arguments],
            cwd=project.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def succeed(self, project: OwnProject, *arguments: str) -> str:
        done = self.run(project, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout
