"""Sessions in the database of a project, whose URL a person gave."""

from __future__ import annotations

import logging
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tenantry_cli.errors import TenantryError, as_sentence
from tenantry_cli.target import DB_URL_NAMES

NO_TENANTRY = (
    "This database has no Tenantry. Run `tenantry init` in the folder of your project, unless "
    "it was done before, and push the migrations."
)
_CONNECT_SECONDS = 15
# After Ctrl-C the driver warns of the closed connection; the command says what that means.
logging.getLogger("psycopg").setLevel(logging.ERROR)
# What a server or the system says, and what the person can do about it.
_REASONS = (
    (
        ("password authentication failed", "no password supplied", "password is missing"),
        "refuses the password of the user {user}. Copy the password again; in a URL, write "
        "characters such as @ and / as %40 and %2F",
    ),
    (
        ("tenant or user not found", "no such user"),
        "knows no user {user}. The pooler of a project knows it as postgres.<ref>",
    ),
    (
        ("not known", "could not translate", "nodename nor servname", "failed to resolve"),
        "has a host name that does not exist. Copy the URL of the project again",
    ),
    (
        ("connection refused",),
        "does not answer, because no server listens there. Check the host and the port",
    ),
    (
        ("network is unreachable", "no route to host"),
        "cannot be reached from this network. The direct address of a hosted project has IPv6 "
        "only: use the address of its session pooler",
    ),
    (("timeout",), "does not answer in time. Check the host, the port and the network"),
    (
        ("certificate", "ssl"),
        "accepts no connection with these TLS settings. Check sslmode in the URL",
    ),
)


def open_database(db_url: str, **options: Any) -> psycopg.Connection[Any]:
    """A session in the database. A failure is one sentence that names the option."""
    try:
        parts = conninfo_to_dict(db_url)
        limits = {"connect_timeout": _CONNECT_SECONDS} | parts
        return psycopg.connect(db_url, **options, connect_timeout=limits["connect_timeout"])
    except psycopg.ProgrammingError:
        # The message of the driver would show the password.
        raise TenantryError(
            f"The value of {DB_URL_NAMES} is no URL of a database. Give "
            "postgresql://postgres:<password>@<host>:5432/postgres."
        ) from None
    except psycopg.OperationalError as error:
        raise TenantryError(_refusal(parts, error)) from error


def _refusal(parts: dict[str, Any], error: psycopg.OperationalError) -> str:
    text = str(error)
    host, port = parts.get("host", "localhost"), parts.get("port", 5432)
    for signs, meaning in _REASONS:
        if any(sign in text.lower() for sign in signs):
            reason = meaning.format(user=parts.get("user", "postgres"))
            break
    else:
        lines = text.strip().splitlines() or ["no reason given"]
        reason = f"accepts no session: {lines[-1].rpartition('FATAL:')[2].strip()}"
    return f"The database at {host}:{port}, given as {DB_URL_NAMES}, {as_sentence(reason)}"
