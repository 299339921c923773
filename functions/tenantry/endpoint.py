"""The HTTP interface of a group of operations."""

import re
import traceback
from collections.abc import Callable, Mapping
from functools import cache, partial
from http import HTTPStatus

from flask import Request, Response
from pydantic_core import from_json, to_json

from tenantry import __version__, body, cors, schema_cache
from tenantry.caller import Caller
from tenantry.database import Database
from tenantry.errors import (
    InternalError,
    MethodNotAllowedError,
    OperationNotFoundError,
    ServiceError,
)
from tenantry.fields import Arguments
from tenantry.log import LogLine
from tenantry.operations import Group, Operation
from tenantry.release import REQUIREMENT
from tenantry.request_id import request_id_of

_JSON = "application/json"
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def answer(group: Group, request: Request) -> Response:
    response = answered(request, group.name, partial(_respond, group))
    preflight = request.method == "OPTIONS"
    response.headers.update(cors.headers(request.origin, preflight=preflight))
    return response


def _respond(group: Group, request: Request, line: LogLine) -> Response:
    content = body.read(request.stream)
    # Every preflight is answered, whatever its path: a page can read the 404 of the real
    # request, but it cannot read a refused preflight.
    if request.method == "OPTIONS":
        return Response(status=HTTPStatus.NO_CONTENT)
    if request.path == "/":
        require_method(request, "GET", "HEAD", "OPTIONS")
        return reply(_health(group))
    if request.path == "/openapi.json":
        require_method(request, "GET", "HEAD", "OPTIONS")
        return reply(_document(group))
    operation = _operation(group, request.path.removeprefix("/"))
    line.operation = operation.name
    require_method(request, "POST", "OPTIONS")
    caller = Caller.from_header(request.headers.get("Authorization"))
    line.actor = caller.subject
    arguments = operation.well_formed(body.parse(content))
    line.schema_name = getattr(arguments, "schema_name", None)
    database = Database(caller, _upstream_headers(request, line))
    REQUIREMENT.check(database)
    content = database.call(operation, arguments)
    response = Response(content, content_type=_JSON)
    if not _is_settled(operation, arguments, content, database):
        response.headers["X-Tenantry-Pending"] = "schema-cache"
        line.pending = "schema-cache"
    return response


def _is_settled(
    operation: Operation, arguments: Arguments, content: bytes, database: Database
) -> bool:
    """Whether the Data API serves what the call has changed."""
    if operation.changes is None:
        return True
    try:
        changes = operation.changes(arguments, from_json(content), database)
        return schema_cache.wait_for(changes, database.headers)
    except ServiceError:
        # The change is committed, so an error of a question about it is not the call's error.
        return False


def _operation(group: Group, name: str) -> Operation:
    if name not in group.operations:
        raise OperationNotFoundError(
            f"{group.name} has no such operation; it has "
            f"{', '.join(group.operations) or 'none'}."
        )
    return group.operations[name]


@cache
def _document(group: Group) -> dict[str, object]:
    # Imported with the first request for a document: a process that serves calls alone starts
    # faster without it.
    from tenantry.openapi_document import document

    return document(group)


def _health(group: Group) -> dict[str, object]:
    return {"name": group.name, "version": __version__, "operations": [*group.operations]}


def answered(
    request: Request, group: str, respond: Callable[[Request, LogLine], Response]
) -> Response:
    """The response with what every entry point adds: errors as JSON, an id, a log line."""
    trace = _TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
    line = LogLine(request_id_of(request), trace and trace[1], group)
    try:
        response = respond(request, line)
    except ServiceError as error:
        response = _refusal(error, line)
    except Exception:
        line.stack_trace = traceback.format_exc()
        response = _refusal(InternalError(), line)
    response.headers["X-Request-Id"] = line.request_id
    line.write(response.status_code)
    return response


def _upstream_headers(request: Request, line: LogLine) -> Mapping[str, str]:
    """The headers that let the logs upstream name this request too."""
    ours = {"X-Request-Id": line.request_id}
    return ours | {"traceparent": request.headers["traceparent"]} if line.trace else ours


def require_method(request: Request, *methods: str) -> None:
    if request.method not in methods:
        raise MethodNotAllowedError(", ".join(methods))


def reply(content: object, status: int = HTTPStatus.OK) -> Response:
    return Response(to_json(content), status, content_type=_JSON)


def _refusal(error: ServiceError, line: LogLine) -> Response:
    line.error = error.code
    # Somebody has to repair the cause of a 5xx, and its sentence is ours or the database's.
    # The sentence of a 4xx may quote what the caller sent, so it stays out of the log.
    line.explanation = error.message if error.status >= 500 else None
    content = {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        # Clients of Edge Functions, such as supabase-py's, show this member and no other.
        "error": error.message,
        "request_id": line.request_id,
    }
    response = reply(content, error.status)
    response.headers.update(error.headers)
    return response
