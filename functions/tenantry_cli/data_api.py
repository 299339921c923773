"""The Data API of a project, as the operator's commands call it: with the service key."""

from __future__ import annotations

import math
import time
from functools import wraps
from http import HTTPStatus
from typing import Any

import requests
from tenacity.wait import wait_exponential, wait_random

from tenantry_cli.errors import TenantryError, as_sentence
from tenantry_cli.http_client import HttpClient, is_passing, retrying, unanswered
from tenantry_cli.target import (
    REGISTRY_PROFILE,
    Command,
    is_key_refused,
    key_headers,
    refused_key,
    service_and_database_options,
    service_options,
)

PAGE_SIZE = 1000
# Seconds that the Data API gives to a migration.
SHORT_SECONDS = 5

_RETRIED_STATUSES = {
    # busy, or a limit of the gateway on the number of requests.
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
# PostgREST knows no such function, or no such table.
UNKNOWN_FUNCTION = "PGRST202"
_UNKNOWN_OBJECT = {UNKNOWN_FUNCTION, "PGRST205", "42P01"}
# About a minute in all: a database restarts in that time, PostgREST reads the schemas of a
# thousand tenants on a busy machine, and a call that the gateway no longer waits for ends.
# The random part keeps many workers from returning at the same moment.
_RETRY = retrying(
    12,
    statuses=_RETRIED_STATUSES,
    errors=(
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
    ),
    wait=wait_exponential(multiplier=0.25, max=8) + wait_random(0, 1),
)
# Longer than migrate_tenant may take.
_TIMEOUT_SECONDS = (10, 330)


class UnansweredError(TenantryError):
    """The Data API did not answer, or could not answer anybody."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class RefusedError(TenantryError):
    """The database refused the call and gave a reason."""

    def __init__(self, status: int, code: str | None, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class DataApi:
    """Repeats each request while the Data API does not answer, so it must only send requests
    that may be repeated. Threads may share it."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self._http = HttpClient(
            timeout=_TIMEOUT_SECONDS, headers=key_headers(key) | REGISTRY_PROFILE
        )
        self._has_answered = False

    def close(self) -> None:
        self._http.close()

    def call(self, function: str, **arguments: Any) -> Any:
        """The result of the function."""
        return self._request("POST", f"rpc/{function}", json=arguments)

    def probe(self) -> float:
        """The seconds that one small request takes; infinite if nobody is served."""
        begun = time.monotonic()
        try:
            reply = self._http.request(
                "GET", f"{self.url}/rest/v1/tenants", params={"select": "id", "limit": 1}
            )
        except requests.RequestException:
            # The next call says why.
            return 0.0
        if reply.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            return math.inf
        return time.monotonic() - begun

    def rows(self, table: str, **parameters: str | int) -> Any:
        """Rows of a table of the registry, at most `PAGE_SIZE`."""
        return self._request("GET", table, params=parameters)

    def _request(self, method: str, path: str, **request: Any) -> Any:
        url = f"{self.url}/rest/v1/{path}"
        try:
            reply = _RETRY(self._send, method, url, **request)
        except requests.RequestException as error:
            raise UnansweredError(unanswered(self.url, error)) from None
        if is_key_refused(reply):
            raise refused_key(self.url, reply)
        if not reply.ok:
            raise _refusal(reply)
        return _result(reply)

    def _send(self, method: str, url: str, **request: Any) -> requests.Response:
        try:
            reply = self._http.request(method, url, **request)
        except requests.RequestException as error:
            # A wrong address never answers, and nobody should wait a minute to learn that.
            if self._has_answered and is_passing(error):
                raise
            raise UnansweredError(unanswered(self.url, error)) from None
        self._has_answered = True
        return reply


def _result(reply: requests.Response) -> Any:
    try:
        return reply.json()
    except (ValueError, RecursionError) as error:
        raise no_project(reply) from error


def no_project(reply: requests.Response) -> UnansweredError:
    """The error of an address that answers, but not as a project does."""
    if reply.is_redirect:
        return UnansweredError(
            f"{reply.url} redirects to {reply.headers['Location']}. Give the address of the "
            "project to which it leads."
        )
    return UnansweredError(
        f"{reply.url} answered {reply.status_code} with something other than JSON: "
        "this URL does not belong to a Supabase project."
    )


def _refusal(reply: requests.Response) -> TenantryError:
    try:
        body = reply.json()
        code, message, detail = body["code"], body["message"], body.get("details")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        code = message = detail = None
    if reply.status_code == HTTPStatus.NOT_FOUND and code is None:
        return no_project(reply)
    if not isinstance(message, str):
        message = f"The Data API answered {reply.status_code}."
    if code in _UNKNOWN_OBJECT:
        advice = "Push the migrations of this version of Tenantry first."
        message = f"{as_sentence(message)} {advice}"
        # PostgREST's details are a sentence.
        detail = None
    # With the code "busy" one tenant is locked. Any other such status concerns every tenant.
    if reply.status_code in _RETRIED_STATUSES and detail != "busy":
        return UnansweredError(f"{message} (status {reply.status_code})", reply.status_code)
    return RefusedError(reply.status_code, detail or code, message)


def project_options(command: Command) -> Command:
    """Adds the options `--url` and `--service-key`, and passes the Data API as `api`.

    Without the options it is the Data API of the running emulator."""
    return service_options(command, "api", DataApi)


def project_and_database_options(command: Command) -> Command:
    """Adds `--db-url`, too, and passes its value, or None, as `db_url`."""

    @wraps(command)
    def with_both(
        *positional: Any, project: tuple[DataApi, str | None], **arguments: Any
    ) -> Any:
        api, db_url = project
        return command(*positional, api=api, db_url=db_url, **arguments)

    return service_and_database_options(
        with_both, "project", lambda url, key, db_url: (DataApi(url, key), db_url)
    )
