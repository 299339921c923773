"""The baseline migration: `sql/` in one file, which `supabase db push` applies."""

import os
from collections.abc import Mapping
from pathlib import Path

from tenantry import __version__
from tenantry_cli.migration_files import next_migration_version, released_checksums
from tenantry_cli.project import Project
from tenantry_cli.sources import source_texts

_HEADER = """\
-- Tenantry {version}. Written from sql/ by `tenantry generate`: edit sql/, then run it again.

-- A function may call another that is created later in this file.
set check_function_bodies = off;
"""
_FOOTER = """\

reset check_function_bodies;
"""


def baseline_path(project: Project) -> Path | None:
    """The file of the unreleased version; None once that version is released.

    It keeps its timestamp as long as it exists.
    """
    suffix = f"_tenantry_{__version__.replace('.', '_')}.sql"
    existing = sorted(project.migrations.glob(f"*{suffix}"))
    released = released_checksums(project)
    if released:
        return None
    if existing:
        return existing[0]
    return project.migrations / f"{next_migration_version(project)}{suffix}"


def baseline_text(project: Project, generated: Mapping[Path, str]) -> str:
    """The migration; files of `sql/` that are generated count with their new text."""
    sources = dict(source_texts(project))
    for file, text in generated.items():
        path = file.relative_to(project.root).as_posix()
        if path.startswith("sql/") and path.endswith(".sql"):
            sources[path] = text
    objects = (
        f"\n-- {path}\n\n{sources[path].strip()}\n" for path in sorted(sources, key=os.fsencode)
    )
    return "".join((_HEADER.format(version=__version__), *objects, _FOOTER))
