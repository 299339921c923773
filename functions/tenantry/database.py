"""The project's Data API, as one caller is allowed to see it."""

import re
from collections.abc import Mapping
from contextvars import ContextVar, copy_context
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, TypeVar, cast

import httpx
from postgrest import APIError
from pydantic import TypeAdapter, ValidationError
from supabase import ClientOptions, create_client

from tenantry.caller import Caller
from tenantry.errors import (
    BusyError,
    NotAuthenticatedError,
    RefusedError,
    ServiceError,
    UpstreamError,
    UpstreamTimeoutError,
)
from tenantry.fields import Arguments
from tenantry.settings import SETTINGS

T = TypeVar("T")

# supabase-py tells neither the HTTP status of a refusal, and only the status tells whether
# PostgREST saw an anonymous or a signed-in caller, nor the bytes of a result. The response is
# kept per call: whatever execute() returns or raises as an APIError follows a response in the
# same context, so it is never another call's.
upstream_response: ContextVar[httpx.Response] = ContextVar("upstream_response")


def keep(response: httpx.Response) -> None:
    upstream_response.set(response)


# One pool for all callers: one of its own would cost each request a TLS context and a
# handshake. It is made at import, before gunicorn forks, and that is safe because it opens
# its first connection with the first request, in the worker. Cookies are never kept.
POOL = httpx.Client(
    timeout=SETTINGS.upstream_timeout_seconds,
    cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
    event_hooks={"response": [keep]},
)
# And one client, which costs more to make than all that is done here for a call. Nothing in
# it belongs to a caller: a token is a header of its own request, and a request without one
# comes as anon, who may do nothing. Nobody may ever sign in with it: supabase-py would send
# that user's token with everybody's requests.
CLIENT = create_client(
    SETTINGS.supabase_url,
    SETTINGS.supabase_anon_key,
    ClientOptions(
        httpx_client=POOL,
        auto_refresh_token=False,
        persist_session=False,
        postgrest_client_retry=False,
    ),
)


@cache
def adapter(returns: Any) -> TypeAdapter[Any]:
    """Built once for each result: it costs more than the validation."""
    return TypeAdapter(returns)


class Database:
    """Calls database functions with the caller's own token; the database decides the rest."""

    # What the last call was answered, letter by letter.
    reply: bytes

    def __init__(self, caller: Caller, headers: Mapping[str, str]) -> None:
        self._caller = caller
        self._headers = {**headers, "Authorization": f"Bearer {caller.token}"}

    def call(self, function: str, arguments: Arguments, returns: type[T]) -> T:
        # Only what the caller gave: the defaults are the database's.
        given = arguments.model_dump(mode="json", exclude_unset=True)
        rpc = CLIENT.rpc(function, given)
        rpc.request.headers.update(self._headers)
        # A context that ends with the call: the thread's own would hold on to a large reply
        # until the thread's next one.
        context = copy_context()
        try:
            data: object = context.run(rpc.execute).data
        except APIError as error:
            status = context[upstream_response].status_code
            raise translated(error, status, self._caller) from error
        except httpx.PoolTimeout as error:
            raise BusyError from error
        except httpx.TimeoutException as error:
            raise UpstreamTimeoutError from error
        except httpx.RequestError as error:
            raise unusable(error) from error
        except (ValueError, RecursionError):
            data = read_again(context[upstream_response])
        self.reply = context[upstream_response].content
        try:
            # Of an empty body supabase-py makes an empty list.
            result: T = adapter(cast(Any, returns)).validate_python(
                data if self.reply else None
            )
        except ValidationError as error:
            raise UpstreamError(
                f"The database API's answer is not what {function} returns.",
                hint="Apply the migrations that belong to this version of the functions.",
            ) from error
        return result


def read_again(response: httpx.Response) -> object:
    """A reply that supabase-py could not read."""
    try:
        # Python makes no int of more than 4,300 digits, because that takes it long, and a
        # numeric of PostgreSQL has up to 131,072. Here it matters only that it is a number.
        return response.json(parse_int=float)
    except RecursionError as error:
        raise UpstreamError(
            "The database API's answer is nested too deep to be read here.",
            hint="Call the RPC of the same name on the Data API, which passes it on unread.",
        ) from error
    except ValueError as error:
        raise unusable(error) from error


def unusable(error: Exception) -> UpstreamError:
    return UpstreamError(f"The database API gave no usable answer ({type(error).__name__}).")


CUSTOM_STATUS = re.compile(r"PT([45]\d\d)")
OUR_CODE = re.compile(r"[a-z][a-z_]*")
TOKEN_REFUSED = {"PGRST301", "PGRST302", "PGRST303"}
# A lock or a statement waited too long, two operations met, connections ran out, or
# PostgREST is not ready yet: in each case the transaction changed nothing.
TRY_AGAIN = {
    *("40001", "40P01", "53300", "55P03", "57014"),
    *("PGRST000", "PGRST001", "PGRST002", "PGRST003"),
}


def translated(error: APIError, status: int, caller: Caller) -> ServiceError:
    """What PostgREST's refusal means to our caller."""
    sqlstate = error.code or ""
    our_code = catalogued(error.details)
    if (custom := CUSTOM_STATUS.fullmatch(sqlstate)) and our_code:
        return RefusedError(int(custom[1]), our_code, error.message, error.hint)
    if sqlstate == "42501":
        return denial(our_code, status, error)
    if sqlstate in TOKEN_REFUSED:
        return NotAuthenticatedError("The access token is invalid or has expired.")
    # How PostgreSQL words it when PostgREST takes on the token's role. A wrong argument has
    # another code, and no sentence about this role.
    if (sqlstate, error.message) == ("22023", f'role "{caller.role}" does not exist'):
        return NotAuthenticatedError("The access token names a role that does not exist.")
    if sqlstate in TRY_AGAIN:
        return BusyError()
    # Data that no argument check could foresee, or a trigger of the product's own that
    # raised. The details stay here: they quote rows.
    if sqlstate[:2] in {"22", "23"} or sqlstate == "P0001":
        return RefusedError(400, "invalid_request", error.message, error.hint)
    if sqlstate == "PGRST202":
        return UpstreamError(
            "The database does not have this function.",
            hint="Apply the migrations that belong to this version of the functions.",
        )
    return UpstreamError(f"The database API answered {status} ({sqlstate or 'no code'}).")


def denial(our_code: str | None, status: int, error: APIError) -> ServiceError:
    # Without a code of ours PostgreSQL itself denied, and PostgREST answered 401 if the
    # caller came as anon.
    if our_code is None and status == 401:
        return NotAuthenticatedError()
    if our_code == NotAuthenticatedError.code:
        return NotAuthenticatedError(error.message)
    return RefusedError(403, our_code or "forbidden", error.message, error.hint)


def catalogued(details: Any) -> str | None:
    """The code of ours in an error's details; everybody else's details are prose."""
    return details if isinstance(details, str) and OUR_CODE.fullmatch(details) else None
