"""The release in the database, which is the version of the package."""

from pathlib import Path

from tenantry import __version__
from tenantry_cli.project import Project

_TEXT = """\
-- Written by `tenantry generate` from the version of the package `tenantry`.
create function tenancy.release()
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    select '{version}';
$$;

comment on function tenancy.release() is
    'The release of Tenantry whose migrations this database has.';
"""


def release_path(project: Project) -> Path:
    return project.root / "sql" / "20_tenancy" / "release" / "release.sql"


def release_text() -> str:
    return _TEXT.format(version=__version__)
