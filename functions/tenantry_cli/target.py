"""The project that a command works on: a running emulator, or another project."""

from __future__ import annotations

import json
import os
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import click
import requests
from click.core import ParameterSource

from tenantry_cli.emulator.state import running
from tenantry_cli.errors import TenantryError
from tenantry_cli.project import find_project

Command = Callable[..., Any]
# The values of the options, by the names of `tenantry status`. None if not given.
_OptionValues = dict[str, str | None]

_VISIBLE = re.compile("[!-~]+")


@dataclass(frozen=True)
class Target:
    """The URLs and keys of a project. None if not given."""

    api_url: str
    anon_key: str
    service_key: str
    functions_url: str | None = None
    # The port of PostgREST, without the gateway.
    postgrest_url: str | None = None
    db_url: str | None = None
    jwt_secret: str | None = None

    @classmethod
    def of(cls, known: Mapping[str, str | None]) -> Target:
        """The project with these values, by the names of `tenantry status`."""
        return cls(
            api_url=str(known["API_URL"]),
            anon_key=str(known["ANON_KEY"]),
            service_key=str(known["SERVICE_ROLE_KEY"]),
            functions_url=known["FUNCTIONS_URL"],
            postgrest_url=known["POSTGREST_URL"],
            db_url=known["DB_URL"],
            jwt_secret=known["JWT_SECRET"],
        )

    @property
    def rest_url(self) -> str:
        return f"{self.api_url}/rest/v1"

    @property
    def auth_url(self) -> str:
        return f"{self.api_url}/auth/v1"

    @property
    def has_opaque_keys(self) -> bool:
        """Whether only the gateway of the project accepts the keys."""
        return is_opaque(self.anon_key) or is_opaque(self.service_key)


def is_opaque(key: str) -> bool:
    """Whether the key is a publishable or secret key, which is no token."""
    return key.startswith("sb_")


def is_key_refused(reply: requests.Response) -> bool:
    """Whether the project does not know the key. A known key may lack a privilege (42501)."""
    return (
        reply.status_code == HTTPStatus.UNAUTHORIZED and error_of(reply).get("code") != "42501"
    )


def refused_key(url: str, reply: requests.Response, *, is_anon: bool = False) -> TenantryError:
    option = _ANON_KEY if is_anon else _SERVICE_KEY
    reason = error_of(reply).get("message") or f"status {reply.status_code}"
    return TenantryError(
        f"{url} refuses the {'anon' if is_anon else 'service'} key ({reason}). Copy the key of "
        f"this project again, and give it with {option.both_names}."
    )


def error_of(reply: requests.Response) -> dict[str, Any]:
    try:
        body = reply.json()
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def key_headers(key: str, api_key: str | None = None) -> dict[str, str]:
    """The headers of a caller with this token or API key."""
    if is_opaque(key):
        return {"apikey": key}
    return {"apikey": api_key or key, "Authorization": f"Bearer {key}"}


# A request that names no schema goes to the first one that the project exposes, which need not
# be the schema of the registry and the RPCs.
REGISTRY_PROFILE = {"Accept-Profile": "public", "Content-Profile": "public"}


@dataclass(frozen=True)
class _Option:
    name: str
    variable: str
    # Its name in the output of `tenantry status`.
    status: str
    text: str

    @property
    def both_names(self) -> str:
        return f"--{self.name} (or {self.variable})"

    @property
    def used_name(self) -> str:
        """The name by which the value was given: the option or the variable."""
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


_URL = _Option("url", "SUPABASE_URL", "API_URL", "The URL of the project.")
_SERVICE_KEY = _Option(
    "service-key",
    "SUPABASE_SERVICE_ROLE_KEY",
    "SERVICE_ROLE_KEY",
    "The service_role key of the project.",
)
_ANON_KEY = _Option("anon-key", "SUPABASE_ANON_KEY", "ANON_KEY", "The anon key of the project.")
_DB_URL = _Option(
    "db-url", "SUPABASE_DB_URL", "DB_URL", "The URL of the database, as postgres."
)
_JWT_SECRET = _Option(
    "jwt-secret", "SUPABASE_JWT_SECRET", "JWT_SECRET", "The secret that signs tokens."
)
DB_URL_NAMES = _DB_URL.both_names
JWT_SECRET_NAMES = _JWT_SECRET.both_names
_OPTIONS = (
    _URL,
    _ANON_KEY,
    _SERVICE_KEY,
    _DB_URL,
    _JWT_SECRET,
    _Option(
        "functions-url", "TENANTRY_FUNCTIONS_URL", "FUNCTIONS_URL", "The URL of the functions."
    ),
    _Option(
        "postgrest-url",
        "TENANTRY_POSTGREST_URL",
        "POSTGREST_URL",
        "The URL of PostgREST, without the gateway.",
    ),
)
# The options that every command needs. The others let a command examine more.
_REQUIRED = {"API_URL", "ANON_KEY", "SERVICE_ROLE_KEY"}
_URLS = {"API_URL", "FUNCTIONS_URL", "POSTGREST_URL"}
_KEYS = {"ANON_KEY", "SERVICE_ROLE_KEY"}
# The role that a key must not have, and the prefix of such a key in the new format.
_WRONG_ROLES = {
    "ANON_KEY": ("service_role", "sb_secret_"),
    "SERVICE_ROLE_KEY": ("anon", "sb_publishable_"),
}
_API_PATH = re.compile("/(rest|auth|functions)/v1/?$")


def target_options(command: Command) -> Command:
    """Adds all options of a project to a command, and passes their values as `target`."""
    return _with_options(command, _OPTIONS, "target", Target.of)


def service_options(command: Command, name: str, make: Callable[[str, str], Any]) -> Command:
    """Adds the options for the Data API, and passes `make(url, service_key)` by that name."""
    return _with_options(
        command,
        (_URL, _SERVICE_KEY),
        name,
        lambda known: make(str(known["API_URL"]), str(known["SERVICE_ROLE_KEY"])),
    )


def service_and_database_options(
    command: Command, name: str, make: Callable[[str, str, str | None], Any]
) -> Command:
    """The same with the URL of the database, which may be left out."""
    return _with_options(
        command,
        (_URL, _SERVICE_KEY, _DB_URL),
        name,
        lambda known: make(
            str(known["API_URL"]), str(known["SERVICE_ROLE_KEY"]), known["DB_URL"]
        ),
    )


def public_options(command: Command) -> Command:
    """Adds the options of a client app, and passes their values as `url` and `anon_key`."""

    @wraps(command)
    def with_both(*positional: Any, public: tuple[str, str], **arguments: Any) -> Any:
        url, anon_key = public
        return command(*positional, url=url, anon_key=anon_key, **arguments)

    return _with_options(
        with_both,
        (_URL, _ANON_KEY),
        "public",
        lambda known: (str(known["API_URL"]), str(known["ANON_KEY"])),
    )


def database_options(command: Command) -> Command:
    """Adds the option for the database, and passes its URL as `db_url`."""

    @wraps(command)
    def with_database(*positional: Any, **arguments: Any) -> Any:
        db_url = _DB_URL.taken_from(arguments)
        if db_url is None and _URL.variable in os.environ:
            raise TenantryError(
                f"{_URL.variable} names a project, so {_DB_URL.both_names} must be given too."
            )
        if db_url is None:
            db_url = running(find_project()).connection[_DB_URL.status]
        else:
            # A script may give an empty variable, and must not reach the emulator.
            _require_usable(_DB_URL, db_url)
        return command(*positional, db_url=db_url, **arguments)

    decorated: Command = with_database
    return _DB_URL.added_to(decorated)


def _with_options(
    command: Command,
    options: tuple[_Option, ...],
    name: str,
    make: Callable[[_OptionValues], Any],
) -> Command:
    @wraps(command)
    def with_project(*positional: Any, **arguments: Any) -> Any:
        given = {option: option.taken_from(arguments) for option in options}
        return command(*positional, **{name: make(_resolve(given))}, **arguments)

    decorated: Command = with_project
    for option in reversed(options):
        decorated = option.added_to(decorated)
    return decorated


def _resolve(given: dict[_Option, str | None]) -> _OptionValues:
    """The values for one project: the one with the given URL, or else the running emulator.

    A value of one project must never be used with another project.
    """
    named = [option for option, value in given.items() if value is not None]
    if _URL not in named:
        if named:
            names = " and ".join(option.used_name for option in named)
            raise TenantryError(
                f"{names} {'is' if len(named) == 1 else 'are'} given without a URL, so the "
                f"project is unknown. Give {_URL.both_names} too; or leave {names} out to use "
                "the running emulator."
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
            f"{_URL.used_name} is given, so {' and '.join(missing)} must be given too."
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
            f"{option.used_name} is {value!r}, which is no URL. Give a URL with http:// or "
            "https:// and a host, such as https://<ref>.supabase.co."
        )
    if option in (_DB_URL, _JWT_SECRET) and not value.strip():
        raise TenantryError(
            f"{option.used_name} is empty. Give {option.text[0].lower()}{option.text[1:-1]}, "
            "or leave the option out."
        )
    if option.status in _KEYS and not _VISIBLE.fullmatch(value):
        # The message does not show the value, because it is a secret.
        raise TenantryError(
            f"{option.used_name} "
            + ("is empty" if not value else "has white space or characters that no key has")
            + ". Copy the key again, without quotes and line breaks."
        )
    if option.status in _KEYS and _has_role(value, *_WRONG_ROLES[option.status]):
        raise TenantryError(
            f"{option.used_name} is the {'anon' if option is _SERVICE_KEY else 'service'} key. "
            f"Give {option.text[0].lower()}{option.text[1:]}"
        )
    if option is _URL:
        _require_root(option, value)


def _require_root(option: _Option, value: str) -> None:
    """The paths of the Data API and of the other parts are added to this URL."""
    parts = urlsplit(value)
    root = f"{parts.scheme}://{parts.netloc}{_API_PATH.sub('', parts.path).rstrip('/')}"
    if _API_PATH.search(parts.path) or parts.query or parts.fragment:
        raise TenantryError(
            f"{option.used_name} is {value!r}, which is the address of a page or of one part. "
            f"Give the address of the project: {root}"
        )


def _has_role(key: str, role: str, prefix: str) -> bool:
    """Whether the key names that role. Nobody has checked the signature."""
    if key.startswith(prefix):
        return True
    try:
        payload = key.split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return bool(claims["role"] == role)
    except (IndexError, ValueError, KeyError, TypeError):
        return False


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        # Reading the port checks it.
        _ = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and _VISIBLE.fullmatch(value) is not None
    )
