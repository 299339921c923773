"""The entry points: HTTP through the gateway or past it, and SQL as a request's role."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
from psycopg import sql

from tenantry_cli.errors import TenantryError

_TIMEOUT_SECONDS = 60
_BUSY_TRIES = 8
# A server may close a connection it kept alive in the moment it is used again.
_CONNECTION_TRIES = 4
_SECRET_HEADERS = ("authorization", "apikey")


@dataclass(frozen=True)
class Request:
    """Headers as they go over the wire, in order, also twice."""

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
    """SQL as PostgREST would run it for somebody, but past the guard; rolled back."""

    role: str
    claims: tuple[tuple[str, str], ...]
    text: str

    def describe(self) -> dict[str, Any]:
        return {
            "method": "SQL",
            "url": self.text,
            "headers": [["role", self.role], *([name, value] for name, value in self.claims)],
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
        """Our own code: PostgREST has it as `details`, the functions as `code`."""
        body = self.json
        if not isinstance(body, dict):
            return set()
        return {str(body.get("code")), str(body.get("details"))}


class Wire:
    """Sends; safe to use from many threads."""

    def __init__(self, db_url: str | None, workers: int) -> None:
        self._http = httpx.Client(
            timeout=_TIMEOUT_SECONDS,
            limits=httpx.Limits(max_connections=workers, max_keepalive_connections=workers),
        )
        self._db_url = db_url
        self._local = threading.local()
        self._connections: list[psycopg.Connection[Any]] = []

    def send(self, what: Request | Statement) -> Reply:
        if isinstance(what, Statement):
            return self._run(what)
        reply = self._once(what)
        for _ in range(_BUSY_TRIES):
            # Nothing was changed; the next try comes after a lock wait, not after a pause.
            if reply.status != 503:
                break
            reply = self._once(what)
        return reply

    def close(self) -> None:
        self._http.close()
        for connection in self._connections:
            connection.close()

    def _once(self, request: Request) -> Reply:
        content = None if request.body is None else json.dumps(request.body).encode()
        headers = list(request.headers)
        if content is not None:
            headers.append(("Content-Type", "application/json"))
        for left in reversed(range(_CONNECTION_TRIES)):
            try:
                reply = self._http.request(
                    request.method, request.url, headers=headers, content=content
                )
            except httpx.RequestError as error:
                if not left:
                    raise TenantryError(f"{request.method} {request.url}: {error}") from error
                continue
            return Reply(reply.status_code, reply.text, reply.headers.get("Content-Range", ""))
        raise AssertionError

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
                found = connection.execute(statement.text.encode())
                rows = found.fetchall() if found.description else []
        except psycopg.Error as error:
            return Reply(400, json.dumps({"code": error.sqlstate, "message": str(error)}))
        return Reply(200, json.dumps(rows, default=str))

    def _connection(self) -> psycopg.Connection[Any]:
        connection: psycopg.Connection[Any] | None = getattr(self._local, "connection", None)
        if connection is None:
            try:
                connection = psycopg.connect(self._db_url or "", autocommit=True)
            except psycopg.Error as error:
                raise TenantryError(f"The database does not answer: {error}") from error
            self._local.connection = connection
            self._connections.append(connection)
        return connection


def profiles(accept: Sequence[str], content: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return (
        *(("Accept-Profile", name) for name in accept),
        *(("Content-Profile", name) for name in content),
    )
