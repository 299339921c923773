"""The project that an operator's command works on: a running emulator, or any other."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from tenantry_cli.emulator.state import running
from tenantry_cli.errors import TenantryError
from tenantry_cli.project import find_project

Command = Callable[..., Any]
# By the names of `tenantry status`; None for what was not given.
Known = dict[str, str | None]

_VISIBLE = re.compile("[!-~]+")


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


@dataclass(frozen=True)
class _Option:
    name: str
    variable: str
    # What `tenantry status` calls it.
    status: str
    text: str

    @property
    def both_names(self) -> str:
        return f"--{self.name} (or {self.variable})"

    @property
    def used_name(self) -> str:
        """By which of both names it was given."""
        source = click.get_current_context().get_parameter_source(self._parameter)
        return self.variable if source is ParameterSource.ENVIRONMENT else f"--{self.name}"

    def taken_from(self, arguments: dict[str, Any]) -> str | None:
        value: str | None = arguments.pop(self._parameter)
        return value

    def added_to(self, command: Command) -> Command:
        return click.option(
            f"--{self.name}", envvar=self.variable, help=f"{self.text} [env: {self.variable}]"
        )(command)

    @property
    def _parameter(self) -> str:
        return self.name.replace("-", "_")


_URL = _Option("url", "SUPABASE_URL", "API_URL", "The project's URL.")
_SERVICE_KEY = _Option(
    "service-key", "SUPABASE_SERVICE_ROLE_KEY", "SERVICE_ROLE_KEY", "Its service_role key."
)
_OPTIONS = (
    _URL,
    _Option("anon-key", "SUPABASE_ANON_KEY", "ANON_KEY", "Its anon key."),
    _SERVICE_KEY,
    _Option("db-url", "SUPABASE_DB_URL", "DB_URL", "Its database, as postgres."),
    _Option("jwt-secret", "SUPABASE_JWT_SECRET", "JWT_SECRET", "What signs its tokens."),
    _Option(
        "functions-url", "TENANTRY_FUNCTIONS_URL", "FUNCTIONS_URL", "Where our functions run."
    ),
    _Option(
        "postgrest-url", "TENANTRY_POSTGREST_URL", "POSTGREST_URL", "PostgREST's own port."
    ),
)
# Without these nothing can be asked; the rest is for looking closer.
_REQUIRED = {"API_URL", "ANON_KEY", "SERVICE_ROLE_KEY"}
_URLS = {"API_URL", "FUNCTIONS_URL", "POSTGREST_URL"}
_KEYS = {"ANON_KEY", "SERVICE_ROLE_KEY"}


def target_options(command: Command) -> Command:
    """Gives a command all options that name a project, and their sum as `target`."""

    def target(known: Known) -> Target:
        return Target(
            api_url=str(known["API_URL"]),
            anon_key=str(known["ANON_KEY"]),
            service_key=str(known["SERVICE_ROLE_KEY"]),
            functions_url=known["FUNCTIONS_URL"],
            postgrest_url=known["POSTGREST_URL"],
            db_url=known["DB_URL"],
            jwt_secret=known["JWT_SECRET"],
        )

    return _with_options(command, _OPTIONS, "target", target)


def service_options(command: Command, name: str, make: Callable[[str, str], Any]) -> Command:
    """Gives a command the options that the service's Data API takes, and what `make` makes of
    URL and service key under that name."""
    return _with_options(
        command,
        (_URL, _SERVICE_KEY),
        name,
        lambda known: make(str(known["API_URL"]), str(known["SERVICE_ROLE_KEY"])),
    )


def _with_options(
    command: Command,
    options: tuple[_Option, ...],
    name: str,
    make: Callable[[Known], Any],
) -> Command:
    @wraps(command)
    def with_project(*positional: Any, **arguments: Any) -> Any:
        given = {option: option.taken_from(arguments) for option in options}
        return command(*positional, **{name: make(_resolve(given))}, **arguments)

    dressed: Command = with_project
    for option in reversed(options):
        dressed = option.added_to(dressed)
    return dressed


def _resolve(given: dict[_Option, str | None]) -> Known:
    """One project, whole: the one that a URL names, or else the running emulator. What belongs
    to one must never be used on the other."""
    named = [option for option, value in given.items() if value is not None]
    if _URL not in named:
        if named:
            names = " and ".join(option.used_name for option in named)
            raise TenantryError(
                f"{names} {'is' if len(named) == 1 else 'are'} given without a URL, so it is "
                f"not known of which project. Give {_URL.both_names} too; or, for the running "
                f"emulator, leave {names} out."
            )
        connection = running(find_project()).connection
        return {option.status: connection[option.status] for option in given}
    missing = [
        option.both_names
        for option, value in given.items()
        if option.status in _REQUIRED and value is None
    ]
    if missing:
        raise TenantryError(
            f"{_URL.used_name} names a project: give {' and '.join(missing)} too."
        )
    for option, value in given.items():
        if value is not None:
            _require_usable(option, value)
    return {
        option.status: value.rstrip("/") if value and option.status in _URLS else value
        for option, value in given.items()
    }


def _require_usable(option: _Option, value: str) -> None:
    if option.status in _URLS and not _is_url(value):
        raise TenantryError(
            f"{option.used_name} is {value!r}, which is no address: give one like "
            "https://<ref>.supabase.co, with http:// or https:// and a host."
        )
    if option.status in _KEYS and not _VISIBLE.fullmatch(value):
        # Not the value: it is a secret.
        raise TenantryError(
            f"{option.used_name} holds "
            + ("nothing" if not value else "white space or characters that no key has")
            + ": copy the key again, without quotes and line breaks."
        )


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        # Asking for it is what checks it.
        _ = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and _VISIBLE.fullmatch(value) is not None
    )
