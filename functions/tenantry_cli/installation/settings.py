"""What `supabase/config.toml` says about the database and its Data API."""

import tomllib
from typing import Any

from tenantry_cli.errors import TenantryError
from tenantry_cli.project import Project

_DEFAULT = ("public", "graphql_public")


def exposed_schemas(project: Project) -> tuple[str, ...]:
    """The schemas of the Data API, the first one for requests that name none."""
    return tuple(map(str, _section(project, "api").get("schemas", _DEFAULT)))


def postgres_version(project: Project) -> int | None:
    """The major version of PostgreSQL."""
    version = _section(project, "db").get("major_version")
    return version if isinstance(version, int) else None


def _section(project: Project, name: str) -> dict[str, Any]:
    file = project.root / "supabase" / "config.toml"
    try:
        section: dict[str, Any] = tomllib.loads(file.read_text()).get(name, {})
    except tomllib.TOMLDecodeError as error:
        raise TenantryError(f"{file} is not valid TOML: {error}.") from None
    return section
