"""How a group of operations speaks HTTP."""

import json
import re
import traceback
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import Any, get_args, get_type_hints

from flask import Request, Response
from pydantic import ValidationError
from pydantic_core import ErrorDetails, to_json

from tenantry import __version__, body, cors
from tenantry.caller import Caller
from tenantry.database import Database
from tenantry.errors import (
    InternalError,
    InvalidRequestError,
    MethodNotAllowedError,
    OperationNotFoundError,
    ServiceError,
)
from tenantry.fields import Arguments
from tenantry.log import LONGEST_NAME, LogLine

JSON = "application/json"
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Operation:
    """A function whose name, argument model and result are also the operation's."""

    def __init__(self, function: Callable[[Database, Any], object]) -> None:
        hints = get_type_hints(function)
        self.function = function
        self.name = function.__name__
        self.arguments: type[Arguments] = hints["arguments"]
        self.returns: Any = hints["return"]

    def well_formed(self, given: dict[str, object]) -> Arguments:
        try:
            return self.arguments.model_validate(given)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise InvalidRequestError(
                self._complaint(first), hint=self._hint(first["loc"])
            ) from error

    def _complaint(self, first: ErrorDetails) -> str:
        match first["type"], first["loc"]:
            case _, ():
                return "The name of an argument is not text."
            case "extra_forbidden", (name,):
                return f"{quoted(name)} is not an argument of {self.name}."
            case "missing", (name,):
                return f"{self.name} needs the argument {quoted(name)}."
            case "extra_forbidden", (*entry, name):
                return f"{quoted(name)} is not a member of {quoted(*entry)} in {self.name}."
            case "missing", (*entry, name):
                return f"{quoted(*entry)} in {self.name} needs the member {quoted(name)}."
        place, reason = quoted(*first["loc"]), first["msg"]
        return f"The argument {place} of {self.name} does not fit: {reason}."

    def _hint(self, place: tuple[int | str, ...]) -> str:
        if len(place) > 1:
            # Of what arguments hold, only entries of lists have a shape of their own.
            (entry,) = get_args(self.arguments.model_fields[str(place[0])].annotation)
            return f"The members of {quoted(*place[:2])}: {', '.join(entry.model_fields)}."
        names = ", ".join(self.arguments.model_fields) or "none"
        return f"The arguments of {self.name}: {names}."


def quoted(*place: int | str) -> str:
    """A place in the arguments, such as columns[0].type."""
    steps = (
        f"[{step}]" if isinstance(step, int) else f".{step[:LONGEST_NAME]}" for step in place
    )
    # Quoted as JSON: whatever the caller named stays readable and one line.
    return json.dumps("".join(steps).removeprefix("."))


class Group:
    """The operations behind one entry point, and everything they have in common."""

    def __init__(
        self,
        name: str,
        *functions: Callable[[Database, Any], object],
        documents: "Sequence[Group]" = (),
    ) -> None:
        self.name = name
        self.operations = {operation.name: operation for operation in map(Operation, functions)}
        # The groups that its OpenAPI document describes.
        self.documents = documents or (self,)

    def answer(self, request: Request) -> Response:
        response = answered(request, self.name, self._respond)
        preflight = request.method == "OPTIONS"
        response.headers.update(cors.headers(request.origin, preflight=preflight))
        return response

    def _respond(self, request: Request, line: LogLine) -> Response:
        content = body.read(request.stream)
        # A preflight is answered whatever the path: a page can read the 404 of the real
        # request, and nothing at all of a refused preflight.
        if request.method == "OPTIONS":
            return Response(status=HTTPStatus.NO_CONTENT)
        if request.path == "/":
            require_method(request, "GET", "HEAD", "OPTIONS")
            return reply(self._health())
        if request.path == "/openapi.json":
            require_method(request, "GET", "HEAD", "OPTIONS")
            return reply(self._document)
        operation = self._operation(request.path.removeprefix("/"))
        line.operation = operation.name
        require_method(request, "POST", "OPTIONS")
        caller = Caller.from_header(request.headers.get("Authorization"))
        line.actor = caller.subject
        given = body.parse(content)
        arguments = operation.well_formed(given)
        line.schema_name = getattr(arguments, "schema_name", None)
        database = Database(caller, baggage(request, line))
        operation.function(database, arguments)
        # The result is known to be what the operation returns, and is passed on as the
        # database wrote it: read and written anew, a large number would lose digits.
        return Response(database.reply, content_type=JSON)

    def _operation(self, name: str) -> Operation:
        if name not in self.operations:
            raise OperationNotFoundError(
                f"{self.name} has no such operation; it has "
                f"{', '.join(self.operations) or 'none'}."
            )
        return self.operations[name]

    @cached_property
    def _document(self) -> dict[str, object]:
        # Imported when somebody asks: what only serves calls starts without it.
        from tenantry.document import document

        return document(self)

    def _health(self) -> dict[str, object]:
        return {"name": self.name, "version": __version__, "operations": [*self.operations]}


def answered(
    request: Request, group: str, respond: Callable[[Request, LogLine], Response]
) -> Response:
    """A response with what every entry point owes: errors as JSON, an id, a line in the log."""
    trace = TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
    line = LogLine(request_id_of(request), trace and trace[1], group)
    try:
        response = respond(request, line)
    except ServiceError as error:
        response = refusal(error, line)
    except Exception:
        line.stack_trace = traceback.format_exc()
        response = refusal(InternalError(), line)
    response.headers["X-Request-Id"] = line.request_id
    line.write(response.status_code)
    return response


def baggage(request: Request, line: LogLine) -> Mapping[str, str]:
    """What follows the request upstream, so that the logs there name it too."""
    ours = {"X-Request-Id": line.request_id}
    return ours | {"traceparent": request.headers["traceparent"]} if line.trace else ours


def request_id_of(request: Request) -> str:
    given = request.headers.get("X-Request-Id", "")
    return given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def require_method(request: Request, *methods: str) -> None:
    if request.method not in methods:
        raise MethodNotAllowedError(", ".join(methods))


def reply(content: object, status: int = HTTPStatus.OK) -> Response:
    return Response(to_json(content), status, content_type=JSON)


def refusal(error: ServiceError, line: LogLine) -> Response:
    line.error = error.code
    # A 5xx is somebody's to repair, and its sentence is ours or the database's; the
    # sentence of a 4xx may quote what the caller sent.
    line.explanation = error.message if error.status >= 500 else None
    content = {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "request_id": line.request_id,
    }
    response = reply(content, error.status)
    response.headers.update(error.headers)
    return response
