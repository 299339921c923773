"""A project's Data API as the operator's commands use it: with the service key."""

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import requests

from tenantry_cli.errors import TenantryError
from tenantry_cli.target import Command, key_headers, service_options

PAGE_SIZE = 1000

_TRY_AGAIN = {
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
# Errors that another attempt may not meet.
_PASSING = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
)
# Between attempts, in seconds: long enough for a database that restarts, for PostgREST to read
# the schemas of a thousand tenants on a busy machine, and for what a gateway stopped waiting
# for to come to its end.
_PAUSES = (0.25, 0.5, 1, 2, 4, 8, 10, 10, 10, 10, 10)
# Longer than migrate_tenant may take.
_TIMEOUT_SECONDS = (10, 330)


class UnansweredError(TenantryError):
    """The Data API is away, or not in a state to answer anybody."""


class RefusedError(TenantryError):
    """The database refused, and said why."""

    def __init__(self, status: int, code: str | None, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class DataApi:
    url: str
    _key: str = field(repr=False)
    _thread: threading.local = field(default_factory=threading.local, repr=False)

    def call(self, function: str, **arguments: Any) -> Any:
        """The function's result. Repeated while nobody answers, so only for what may be."""
        return self._request("POST", f"rpc/{function}", json=arguments)

    def tenants(self) -> Iterator[str]:
        """The names of all tenants, in their order."""
        last = ""
        while True:
            page = self._request(
                "GET",
                "tenants",
                params={
                    "select": "schema_name",
                    "schema_name": f"gt.{last}",
                    "order": "schema_name",
                    "limit": PAGE_SIZE,
                },
            )
            if not page:
                return
            yield from (row["schema_name"] for row in page)
            last = page[-1]["schema_name"]

    def _request(self, method: str, path: str, **request: Any) -> Any:
        for pause in (*_PAUSES, None):
            try:
                reply = self._session.request(
                    method, f"{self.url}/rest/v1/{path}", timeout=_TIMEOUT_SECONDS, **request
                )
            except requests.RequestException as error:
                problem: TenantryError = UnansweredError(
                    f"{self.url} does not answer ({type(error).__name__})."
                )
                if not isinstance(error, _PASSING):
                    break
            else:
                if reply.ok:
                    return _result(reply)
                problem = _refusal(reply)
                if reply.status_code not in _TRY_AGAIN:
                    break
            if pause is not None:
                # Many workers wait at once and should not come back at once.
                time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  # nosec B311
        raise problem

    @property
    def _session(self) -> requests.Session:
        # One for each thread: requests does not promise that threads may share one.
        if not hasattr(self._thread, "session"):
            session = requests.Session()
            session.headers.update(key_headers(self._key))
            self._thread.session = session
        return self._thread.session  # type: ignore[no-any-return]


def _result(reply: requests.Response) -> Any:
    try:
        return reply.json()
    except ValueError as error:
        raise UnansweredError(
            f"{reply.url} answered {reply.status_code} with something else than JSON: "
            "the URL is not that of a Supabase project."
        ) from error


def _refusal(reply: requests.Response) -> TenantryError:
    try:
        body = reply.json()
        code, message, detail = body["code"], body["message"], body.get("details")
    except (ValueError, KeyError, TypeError, AttributeError):
        code, message, detail = None, f"The Data API answered {reply.status_code}.", None
    # A 5xx that is not the functions' own "busy" is about everybody.
    if reply.status_code in _TRY_AGAIN and detail != "busy":
        return UnansweredError(f"{message} (status {reply.status_code})")
    if reply.status_code == HTTPStatus.UNAUTHORIZED:
        message += " Is the key this project's own, and its secret or service_role key?"
    return RefusedError(reply.status_code, detail or code, message)


def project_options(command: Command) -> Command:
    """`--url` and `--service-key`, for projects other than the running emulator, and what
    answers there as `api`."""
    return service_options(command, "api", DataApi)
