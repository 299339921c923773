"""The project that an operator's command works on: a running emulator, or any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from tenantry_cli.emulator.state import running
from tenantry_cli.errors import TenantryError
from tenantry_cli.project import find_project


@dataclass(frozen=True)
class Target:
    """Where a project answers and what is known of it; None for what was not given."""

    api_url: str
    anon_key: str
    service_key: str
    functions_url: str | None = None
    # PostgREST's own port, past the gateway.
    postgrest_url: str | None = None
    db_url: str | None = None
    jwt_secret: str | None = None

    @property
    def rest_url(self) -> str:
        return f"{self.api_url}/rest/v1"

    @property
    def auth_url(self) -> str:
        return f"{self.api_url}/auth/v1"

    @property
    def has_opaque_keys(self) -> bool:
        """Whether its keys mean nothing to anybody but the project's gateway."""
        return is_opaque(self.anon_key) or is_opaque(self.service_key)


def is_opaque(key: str) -> bool:
    """`sb_publishable_…` and `sb_secret_…` are no tokens, as `anon` and `service_role` are."""
    return key.startswith("sb_")


def key_headers(key: str, api_key: str | None = None) -> dict[str, str]:
    """What lets a token in, or an API key, which may be none of its own."""
    if is_opaque(key):
        return {"apikey": key}
    return {"apikey": api_key or key, "Authorization": f"Bearer {key}"}


_OPTIONS = (
    ("url", "SUPABASE_URL", "API_URL", "The project's URL."),
    ("anon-key", "SUPABASE_ANON_KEY", "ANON_KEY", "Its anon key."),
    ("service-key", "SUPABASE_SERVICE_ROLE_KEY", "SERVICE_ROLE_KEY", "Its service_role key."),
    ("db-url", "SUPABASE_DB_URL", "DB_URL", "Its database, as postgres."),
    ("jwt-secret", "SUPABASE_JWT_SECRET", "JWT_SECRET", "What signs its tokens."),
    ("functions-url", "TENANTRY_FUNCTIONS_URL", "FUNCTIONS_URL", "Where our functions run."),
    ("postgrest-url", "TENANTRY_POSTGREST_URL", "POSTGREST_URL", "PostgREST's own port."),
)


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options that name a project, and their sum as `target`."""

    @wraps(command)
    def with_target(**arguments: Any) -> Any:
        given = {
            status: arguments.pop(option.replace("-", "_")) for option, _, status, _ in _OPTIONS
        }
        return command(target=_resolve(given), **arguments)

    for option, variable, _, text in reversed(_OPTIONS):
        with_target = click.option(
            f"--{option}", envvar=variable, help=f"{text} [env: {variable}]"
        )(with_target)
    return with_target


def _resolve(given: dict[str, str | None]) -> Target:
    # A URL means another project, of which an emulator of ours knows nothing.
    known = dict(given)
    if given["API_URL"] is None:
        connection = running(find_project(), None).connection
        known = {name: value or connection[name] for name, value in given.items()}
    missing = [
        f"--{option}"
        for option, _, status, _ in _OPTIONS
        if status in ("API_URL", "ANON_KEY", "SERVICE_ROLE_KEY") and not known[status]
    ]
    if missing:
        raise TenantryError(f"With --url, give {' and '.join(missing)} too.")
    return Target(
        api_url=str(known["API_URL"]).rstrip("/"),
        anon_key=str(known["ANON_KEY"]),
        service_key=str(known["SERVICE_ROLE_KEY"]),
        functions_url=known["FUNCTIONS_URL"],
        postgrest_url=known["POSTGREST_URL"],
        db_url=known["DB_URL"],
        jwt_secret=known["JWT_SECRET"],
    )
