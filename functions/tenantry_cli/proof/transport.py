"""Sends attempts: HTTP requests, and SQL statements with the role of a request."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import psycopg
import requests
from psycopg import sql
from tenacity import Retrying, retry_if_result, stop_after_delay
from tenacity.wait import wait_fixed

from tenantry.catalogue import catalogue
from tenantry_cli.database import open_database
from tenantry_cli.errors import TenantryError
from tenantry_cli.http_client import (
    BUSY_STATUSES,
    HttpClient,
    last_outcome,
    retrying,
    unanswered,
)
from tenantry_cli.signals import completed

_TIMEOUT_SECONDS = 60
# The database does not wait while another session keeps the tenant for more than a second.
_RETRY_BUSY = retrying(9, statuses=BUSY_STATUSES, wait=wait_fixed(0.5))
# PostgREST reads the schemas of all tenants anew, because the proof has made tables. With
# thousands of tenants on a busy machine that takes longer, and serves nobody meanwhile.
_LOADING = "PGRST002"
_RETRY_LOADING = Retrying(
    stop=stop_after_delay(90),
    wait=wait_fixed(1),
    retry=retry_if_result(lambda reply: _is_loading(reply)),
    retry_error_callback=last_outcome,
)
# A server may close an idle connection at the moment when it is used again.
_RETRY_CONNECTION = retrying(
    4, errors=(requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
)
_OVERLOADED = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
# One tenant is locked; the functions could not be loaded.
_NO_OVERLOAD = {"busy", "unavailable"}
# SQLSTATE of a statement that took longer than the role may take.
_TIMED_OUT = "57014"
_OUR_TABLES = {"/tenants", "/user_schema_access", "/admin_users", "/admin_audit_log"}
_FUNCTION = "/rpc/"
_SECRET_HEADERS = ("authorization", "apikey")


@dataclass(frozen=True)
class Request:
    """An HTTP request. The headers are sent in this order, and may contain a name twice."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: Any = None

    def describe(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "url": self.url,
            "headers": [
                [name, "…" if name.lower() in _SECRET_HEADERS else value]
                for name, value in self.headers
            ],
            "body": self.body,
        }


@dataclass(frozen=True)
class Statement:
    """SQL with the role and claims of a request, but without the guard. It is rolled back."""

    role: str
    claims: tuple[tuple[str, str], ...]
    text: str
    # More settings of the request.
    settings: tuple[tuple[str, str], ...] = ()
    # Statements of the same transaction that run first. If one fails, `text` does not run.
    before: tuple[str, ...] = ()

    def describe(self) -> dict[str, Any]:
        return {
            "method": "SQL",
            "url": "; ".join((*self.before, self.text)),
            "headers": [
                ["role", self.role],
                *([name, value] for name, value in (*self.claims, *self.settings)),
            ],
            "body": None,
        }


@dataclass(frozen=True)
class Reply:
    status: int
    text: str
    content_range: str = ""

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.text)
        except ValueError:
            return None

    @property
    def error_codes(self) -> set[str]:
        """The error code, which PostgREST has in `details` and the functions in `code`."""
        return _error_codes(self.json)


def _is_loading(reply: requests.Response) -> bool:
    return reply.status_code == HTTPStatus.SERVICE_UNAVAILABLE and _LOADING in reply.text


def _error_codes(body: Any) -> set[str]:
    if not isinstance(body, dict):
        return set()
    return {str(body.get("code")), str(body.get("details"))}


@dataclass(frozen=True)
class PagePaths:
    """The paths on an OpenAPI page of public."""

    # Tenantry's tables and functions.
    ours: frozenset[str] = frozenset()
    # The project's own.
    others: frozenset[str] = frozenset()

    @classmethod
    def of(cls, text: str) -> PagePaths:
        """The paths of a page; none if the text is no such page."""
        try:
            paths = json.loads(text)["paths"]
            ours = frozenset(path for path in paths if _is_ours(path, paths[path]))
            return cls(ours, frozenset(paths) - ours - {"/"})
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return cls()


def _is_ours(path: str, methods: dict[str, Any]) -> bool:
    known = catalogue().get(path.removeprefix(_FUNCTION))
    if not path.startswith(_FUNCTION) or known is None:
        return path in _OUR_TABLES
    # The project may have another function of the same name, with other parameters.
    named = [
        {*parameter["schema"].get("properties", ())}
        for parameter in methods["post"]["parameters"]
        if parameter.get("in") == "body"
    ]
    return not named or named[0] == {parameter.name for parameter in known.parameters}


def is_overload(status: int, text: str) -> bool:
    """Whether the project could not answer anybody. Such a refusal proves nothing."""
    codes = _error_codes(Reply(status, text).json)
    return _TIMED_OUT in codes or (status in _OVERLOADED and not codes & _NO_OVERLOAD)


def overloaded(url: str, status: int) -> TenantryError:
    return TenantryError(
        f"The project is overloaded: {url} answered {status} at every try, so nothing is "
        "proved. Run the proof again when less happens in the project, and without --full."
    )


class Transport:
    """Sends requests and statements. Threads may share it."""

    def __init__(self, db_url: str | None) -> None:
        self._http = HttpClient(timeout=_TIMEOUT_SECONDS)
        self._db_url = db_url
        self._local = threading.local()
        self._connections: list[psycopg.Connection[Any]] = []

    def send(self, what: Request | Statement) -> Reply:
        if isinstance(what, Statement):
            return self._run(what)
        reply: requests.Response = _RETRY_LOADING(_RETRY_BUSY, self._request, what)
        return Reply(
            reply.status_code,
            reply.content.decode(errors="replace"),
            reply.headers.get("Content-Range", ""),
        )

    def close(self) -> None:
        self._http.close()
        for connection in self._connections:
            connection.close()

    def _request(self, request: Request) -> requests.Response:
        body = None if request.body is None else json.dumps(request.body).encode()
        headers = list(request.headers)
        if body is not None:
            headers.append(("Content-Type", "application/json"))
        try:
            with completed():
                reply: requests.Response = _RETRY_CONNECTION(
                    self._http.send_exactly, request.method, request.url, headers, body
                )
        except requests.RequestException as error:
            raise TenantryError(unanswered(request.url, error)) from error
        return reply

    def _run(self, statement: Statement) -> Reply:
        connection = self._connection()
        try:
            with connection.transaction(force_rollback=True):
                connection.execute(
                    sql.SQL("set local role {}").format(sql.Identifier(statement.role))
                )
                connection.execute(
                    "select set_config('request.jwt.claims', %s, true)",
                    (json.dumps(dict(statement.claims)),),
                )
                for name, value in statement.settings:
                    connection.execute("select set_config(%s, %s, true)", (name, value))
                for text in statement.before:
                    connection.execute(text.encode())
                found = connection.execute(statement.text.encode())
                rows = found.fetchall() if found.description else []
        except psycopg.Error as error:
            return Reply(400, json.dumps({"code": error.sqlstate, "message": str(error)}))
        return Reply(200, json.dumps(rows, default=str))

    def _connection(self) -> psycopg.Connection[Any]:
        connection: psycopg.Connection[Any] | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = open_database(self._db_url or "", autocommit=True)
            self._local.connection = connection
            self._connections.append(connection)
        return connection


def profiles(accept: Sequence[str], content: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return (
        *(("Accept-Profile", name) for name in accept),
        *(("Content-Profile", name) for name in content),
    )
