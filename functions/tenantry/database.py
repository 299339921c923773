"""The project's Data API, as one caller is allowed to see it."""

import re
from collections.abc import Mapping
from contextvars import ContextVar, copy_context
from http.cookiejar import CookieJar
from typing import Any

import httpx
from postgrest import APIError
from pydantic import ValidationError
from supabase import ClientOptions, create_client

from tenantry import __version__
from tenantry.caller import Caller
from tenantry.errors import (
    BusyError,
    NotAuthenticatedError,
    ReadOnlyCallError,
    RefusedError,
    ReplyTooLargeError,
    ServiceError,
    UpgradeNeededError,
    UpstreamError,
    UpstreamTimeoutError,
)
from tenantry.fields import Arguments
from tenantry.operations import Operation, adapter
from tenantry.reply_limit import limit
from tenantry.settings import SETTINGS

# supabase-py gives neither the HTTP status of a refusal nor the bytes of a result. Only the
# status shows whether PostgREST saw an anonymous or a signed-in caller. So the response is
# kept, once for each call: whatever execute() returns or raises as an APIError follows a
# response in the same context, and is never another call's.
_upstream_response: ContextVar[httpx.Response] = ContextVar("upstream_response")


def _keep(response: httpx.Response) -> None:
    _upstream_response.set(response)


class _NoCookies(CookieJar):
    """Keeps no cookie. A policy that refuses all would still read each response for cookies."""

    def extract_cookies(self, response: object, request: object) -> None:
        pass


# One pool for all callers: a pool of its own would cost each request a TLS context and a
# handshake. The pool is made at import, before gunicorn forks. That is safe: the pool opens
# its first connection with the first request, in the worker.
POOL = httpx.Client(
    timeout=SETTINGS.upstream_timeout_seconds,
    cookies=_NoCookies(),
    # The limit on a reply counts bytes as they come, so they have to come uncompressed.
    headers={"Accept-Encoding": "identity"},
    event_hooks={"response": [_keep, limit]},
)
# One client for all callers: making a client costs more than everything else that a call does
# here. Nothing in the client belongs to a caller: a token is a header of its own request, and
# a request without a token comes as anon, who may do nothing. Nobody may ever sign in with
# this client: supabase-py would send that user's token with everybody's requests.
_CLIENT = create_client(
    SETTINGS.supabase_url,
    SETTINGS.supabase_anon_key,
    ClientOptions(
        httpx_client=POOL,
        auto_refresh_token=False,
        persist_session=False,
        postgrest_client_retry=False,
    ),
)


class Database:
    """Calls database functions with the caller's own token; the database decides the rest."""

    def __init__(self, caller: Caller, headers: Mapping[str, str]) -> None:
        self._caller = caller
        self.headers = {
            **headers,
            # The project takes a publishable or secret key only as the API key of the request.
            "apikey": caller.token if caller.is_api_key else SETTINGS.supabase_anon_key,
            "Authorization": f"Bearer {caller.token}",
        }

    def call(self, operation: Operation, arguments: Arguments) -> bytes:
        """The result as the database wrote it, checked against the operation's model.

        The text of the reply is returned, because a parsed large number would lose digits.
        """
        # Only what the caller gave: the defaults are the database's.
        given = adapter(operation.arguments).dump_python(
            arguments, mode="json", exclude_unset=True
        )
        rpc = _CLIENT.rpc(operation.name, given)
        rpc.request.headers.update(self.headers)
        # A context that ends with the call: the thread's own context would hold a large reply
        # until the thread's next call.
        context = copy_context()
        try:
            data: object = context.run(rpc.execute).data
        except APIError as error:
            status = context[_upstream_response].status_code
            raise _translated(error, status, self._caller) from error
        except ReplyTooLargeError as error:
            raise ReplyTooLargeError(
                f"The result of {operation.name} is larger than 8 MB.",
                hint=_way_to_less(operation),
            ) from error
        except httpx.PoolTimeout as error:
            raise BusyError from error
        except httpx.TimeoutException as error:
            raise UpstreamTimeoutError from error
        except httpx.RequestError as error:
            raise _unusable(error) from error
        except (ValueError, RecursionError):
            try:
                data = _read_again(context[_upstream_response])
            except RecursionError:
                # A row may be nested deeper than Python can parse. PostgREST wrote the
                # reply, so it is passed on unread.
                return _passed_on(context[_upstream_response])
        content = context[_upstream_response].content
        try:
            # supabase-py makes an empty list of an empty body.
            adapter(operation.returns).validate_python(data if content else None)
        except ValidationError as error:
            raise UpstreamError(
                f"The database API's answer is not what {operation.name} returns.",
                hint="Apply the migrations that belong to this version of the functions.",
            ) from error
        return content


# The arguments with which a caller asks for the next page: what the last row of a page has.
_CURSORS = {
    "before_id": "the id",
    "after_schema_name": "the schema_name",
    "after": "the key",
}


def _way_to_less(operation: Operation) -> str:
    names = operation.arguments.model_fields
    for cursor, key in _CURSORS.items():
        if "page_size" in names and cursor in names:
            return (
                "A page of several rows ends at 4 MB, so one row is that large. Read this row "
                "by the RPC of the same name on the Data API, with page_size 1. For the rows "
                f"after it, send {key} of this row as {cursor}."
            )
    return "Call the RPC of the same name on the Data API, which takes limit and offset."


def _read_again(response: httpx.Response) -> object:
    """Reads a reply that supabase-py could not read."""
    try:
        # Python refuses to make an int of more than 4,300 digits, and a numeric of PostgreSQL
        # has up to 131,072. For the validation it matters only that the value is a number.
        return response.json(parse_int=float)
    except ValueError as error:
        raise _unusable(error) from error


def _passed_on(response: httpx.Response) -> bytes:
    """The content of a reply that nobody here can parse, if it is a result in JSON."""
    media_type = response.headers.get("Content-Type", "").partition(";")[0]
    if not response.is_success or media_type != "application/json":
        raise UpstreamError("The database API gave no usable answer (nested too deep).")
    return response.content


def _unusable(error: Exception) -> UpstreamError:
    return UpstreamError(f"The database API gave no usable answer ({type(error).__name__}).")


_CUSTOM_STATUS = re.compile(r"PT([45]\d\d)")
_OUR_CODE = re.compile(r"[a-z][a-z_]*")
_TOKEN_REFUSED = {"PGRST301", "PGRST302", "PGRST303"}
# A lock or a statement waited too long, two operations met, connections ran out, or
# PostgREST is not ready yet: in each case the transaction changed nothing.
_TRY_AGAIN = {
    *("40001", "40P01", "53300", "55P03", "57014"),
    *("PGRST000", "PGRST001", "PGRST002", "PGRST003"),
}


def _translated(error: APIError, status: int, caller: Caller) -> ServiceError:
    """The error for our caller that corresponds to PostgREST's refusal."""
    sqlstate = error.code or ""
    our_code = _catalogued(error.details)
    # The status 429 of the RPCs is made for PostgREST. Clients and gateways know 503 with
    # Retry-After, and take 429 for a limit on this caller.
    if our_code == BusyError.code and sqlstate == "PT429":
        return BusyError(error.message, hint=error.hint)
    if (custom := _CUSTOM_STATUS.fullmatch(sqlstate)) and our_code:
        return RefusedError(int(custom[1]), our_code, error.message, error.hint)
    if sqlstate == "42501":
        return _denial(our_code, status, error)
    if caller.is_api_key and status == 401 and not sqlstate:
        return NotAuthenticatedError("The API key is not a key of the project.")
    if sqlstate in _TOKEN_REFUSED:
        return NotAuthenticatedError("The access token is invalid or has expired.")
    # PostgreSQL's words when PostgREST takes on a role that does not exist. A wrong argument
    # has another code, and its sentence does not name this role.
    if (sqlstate, error.message) == ("22023", f'role "{caller.role}" does not exist'):
        return NotAuthenticatedError("The access token names a role that does not exist.")
    if sqlstate in _TRY_AGAIN:
        return BusyError()
    # A value that no argument check could foresee, or an error that a trigger of the product
    # raised. The details are not passed on: they quote rows.
    if sqlstate[:2] in {"22", "23"} or sqlstate == "P0001":
        return RefusedError(400, "invalid_request", error.message, error.hint)
    if sqlstate == "PGRST202":
        return UpgradeNeededError(
            "The database does not have this function. The functions need a database with "
            f"release {__version__} of Tenantry."
        )
    if sqlstate == "25006":
        return ReadOnlyCallError(hint="Let it write only if transaction_read_only is off.")
    answer = f"The database API answered {status} ({sqlstate or 'no code'})"
    # A pre-request function of the project refuses in words for a person.
    return UpstreamError(f"{answer}: {error.message}" if custom else f"{answer}.")


def _denial(our_code: str | None, status: int, error: APIError) -> ServiceError:
    # Without a code of ours, PostgreSQL itself denied the call; PostgREST then answers 401 to
    # a caller who came as anon.
    if our_code is None and status == 401:
        return NotAuthenticatedError()
    if our_code == NotAuthenticatedError.code:
        return NotAuthenticatedError(error.message)
    return RefusedError(403, our_code or "forbidden", error.message, error.hint)


def _catalogued(details: Any) -> str | None:
    """Our code in an error's details; the details of all other errors are prose."""
    return details if isinstance(details, str) and _OUR_CODE.fullmatch(details) else None
