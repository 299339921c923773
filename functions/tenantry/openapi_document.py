"""The OpenAPI document of a group, or of several groups.

It is made from the models, the table of errors and catalogue.json, so it agrees with them.
"""

from typing import Annotated, Any

from pydantic import BaseModel, Field
from typing_extensions import TypeAliasType

from tenantry import __version__
from tenantry.catalogue import catalogue
from tenantry.errors import ERROR_CODES, ServiceError
from tenantry.openapi_schemas import Models, schemas_of
from tenantry.operations import Group, Operation
from tenantry.settings import SETTINGS

_Json = dict[str, Any]

_DESCRIPTION = """\
Every operation is a POST with its arguments as a JSON object. It answers with its result as \
JSON, or with an `Error` that has a code for the program, a sentence for the person and the \
request's id for the log. Every operation is also an RPC of the same name and arguments on \
the project's Data API. The database decides who may call what."""

_REQUEST_ID = (
    "Names the request in the reply, the logs and the audit log: 1 to 64 of A–Z, a–z, 0–9, "
    "`.`, `_` and `-`. A missing or invalid value is replaced by a generated id."
)

# The errors that every operation may answer, in addition to those that its comment names.
_EVERYWHERE = {
    (400, "invalid_json"),
    (400, "invalid_request"),
    (401, "not_authenticated"),
    (403, "forbidden"),
    (413, "payload_too_large"),
    (413, "reply_too_large"),
    (422, "invalid_request"),
    (500, "internal_error"),
    (502, "upstream_error"),
    (503, "upgrade_needed"),
    (503, "busy"),
    (504, "upstream_timeout"),
}


# The errors that a health check may answer: the same code reads its body, and may fail.
_OF_HEALTH = {(413, "payload_too_large"), (500, "internal_error")}

# Each status has one reply, so that a client has one type of it. The replies of an operation
# refer to these, and describe the codes that the operation gives with that status.
_REPLIES = {
    400: ("BadRequest", "The database or the function cannot read or accept a value."),
    401: ("NotAuthenticated", "The request has no valid access token."),
    403: ("Forbidden", "The caller may not do this."),
    404: ("NotFound", "What the arguments name does not exist, or is hidden from the caller."),
    409: ("Conflict", "The present state does not allow the call."),
    413: ("TooLarge", "The body or the result is too large."),
    422: ("InvalidArguments", "The arguments do not have the right shape."),
    500: ("InternalError", "The function failed."),
    502: ("UpstreamError", "The Data API gave no usable answer."),
    503: ("Busy", "Another call keeps the tenant or the row. Nothing changed."),
    504: ("UpstreamTimeout", "The Data API did not answer in time."),
}

ErrorCode = TypeAliasType(
    "ErrorCode",
    Annotated[
        str,
        Field(
            description="The codes of Tenantry.",
            json_schema_extra={
                "enum": sorted({each.code for each in ERROR_CODES if not each.data_api_only})
            },
        ),
    ],
)


class Error(BaseModel):
    """The reply to a request that failed."""

    code: ErrorCode | str = Field(
        description="For the program; a code never changes its meaning. A trigger of your own "
        "may give other codes.",
        examples=["tenant_not_found"],
    )
    message: str = Field(description="A sentence for a person.")
    hint: str | None = Field(description="What the person can do.")
    error: str = Field(description="The message again, for clients that read this member.")
    request_id: str = Field(description="Finds the request in the logs.")


class Health(BaseModel):
    """The reply of a group that runs."""

    name: str = Field(description="The name of the group.")
    version: str = Field(description="The version of Tenantry.")
    operations: list[str] = Field(description="The operations of the group.")


def document(group: Group) -> _Json:
    """The document that `group` serves at /openapi.json."""
    alone = group.documents == (group,)
    models, schemas = schemas_of(group, Error, Health)
    paths: _Json = {}
    for documented in group.documents:
        root = "" if alone else f"/{documented.name}"
        paths[root or "/"] = {"get": _health(documented)}
        for operation in documented.operations.values():
            post = _post(documented, operation, models, schemas)
            paths[f"{root}/{operation.name}"] = {"post": post}
    refused = {
        int(status)
        for item in paths.values()
        for operation in item.values()
        for status in operation["responses"]
        if status != "200"
    }
    return {
        "openapi": "3.1.1",
        "info": {
            "title": f"Tenantry: {group.name}" if alone else "Tenantry",
            "version": __version__,
            "description": _DESCRIPTION,
            "contact": {"name": "Tenantry"},
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": _server(group, alone)}],
        "security": [{"bearer": []}],
        "tags": [{"name": each.name, "description": each.purpose} for each in group.documents],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {_REPLIES[status][0]: _refusal(status) for status in sorted(refused)},
            "parameters": {
                "X-Request-Id": {
                    "name": "X-Request-Id",
                    "in": "header",
                    "description": _REQUEST_ID,
                    # Without an example, which Swagger UI would send in each trial call.
                    "schema": {"type": "string"},
                }
            },
            "headers": {
                "X-Request-Id": {
                    "description": "The request's id: the caller's or a generated one.",
                    "required": True,
                    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
                },
                **_fixed_headers(refused),
                **_pending_header(group),
            },
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The user's access token, from Supabase Auth.",
                }
            },
        },
    }


def _server(group: Group, alone: bool) -> str:
    if SETTINGS.functions_url is None:
        # Relative to the address of the document: a proxy in front may use another name and
        # other paths, so the request does not show the public address.
        return "." if alone else ".."
    return f"{SETTINGS.functions_url}/{group.name}" if alone else SETTINGS.functions_url


def _health(group: Group) -> _Json:
    return {
        "operationId": f"{group.name.replace('-', '_')}_health",
        "summary": f"Whether {group.name} runs.",
        "description": "Returns its version and operations, for health checks. It does not "
        "call the database.",
        "tags": [group.name],
        "security": [],
        "responses": {
            "200": _response(
                "It runs.",
                {"$ref": "#/components/schemas/Health"},
                example={
                    "name": group.name,
                    "version": __version__,
                    "operations": [*group.operations],
                },
            ),
            **_refusals(_OF_HEALTH),
        },
    }


def _post(group: Group, operation: Operation, models: Models, schemas: _Json) -> _Json:
    entry = catalogue()[operation.name]
    request = models[operation.name, "validation"]
    reply = models[operation.name, "serialization"]
    callers = f"Callers: {', '.join(entry.callers)}."
    done = _response("The result.", reply, example=_reply_example(operation, reply, schemas))
    if operation.changes is not None:
        done["headers"]["X-Tenantry-Pending"] = {
            "$ref": "#/components/headers/X-Tenantry-Pending"
        }
    return {
        "operationId": operation.name,
        "summary": entry.summary,
        "description": " ".join(filter(None, (entry.description, callers))),
        "tags": [group.name],
        "parameters": [{"$ref": "#/components/parameters/X-Request-Id"}],
        "requestBody": {
            # An empty body means no arguments.
            "required": any(
                field.is_required() for field in operation.arguments.model_fields.values()
            ),
            "content": {
                "application/json": {"schema": request, "example": _example(request, schemas)}
            },
        },
        "responses": {
            "200": done,
            **_refusals(_EVERYWHERE | _named(entry.errors)),
        },
    }


def _named(codes: tuple[str, ...]) -> set[tuple[int, str]]:
    """What the functions answer for the codes that the comment of an operation names."""
    return {
        (error.status, error.code)
        for error in ERROR_CODES
        if error.code in codes and not error.data_api_only
    }


def _refusals(given: set[tuple[int, str]]) -> _Json:
    """The error replies with these codes, by status."""
    reasons: dict[int, list[str]] = {}
    for error in ERROR_CODES:
        if (error.status, error.code) in given:
            described = f"- `{error.code}`: {error.when} {error.remedy}"
            reasons.setdefault(error.status, []).append(described)
    return {
        str(status): {
            "$ref": f"#/components/responses/{_REPLIES[status][0]}",
            # A reference may have a description of its own.
            "description": "\n".join(reasons[status]),
        }
        for status in sorted(reasons)
    }


def _refusal(status: int) -> _Json:
    """The reply that all operations give with a status."""
    example = next(error for error in ERROR_CODES if error.status == status)
    reply = _response(
        _REPLIES[status][1],
        {"$ref": "#/components/schemas/Error"},
        example=Error(
            code=example.code,
            message=example.when,
            hint=example.remedy,
            error=example.when,
            request_id="2c39348695f54c17b593224f1ddc3d30",
        ).model_dump(),
    )
    for name in ServiceError.HEADERS.get(status, {}):
        reply["headers"][name] = {"$ref": f"#/components/headers/{name}"}
    return reply


def _fixed_headers(statuses: set[int]) -> _Json:
    """The headers that HTTP requires with some statuses; each has one value."""
    return {
        name: {
            "description": f"With {status}, always `{value}`.",
            "required": True,
            "schema": {"type": "string", "const": value},
        }
        for status in sorted(statuses)
        for name, value in ServiceError.HEADERS.get(status, {}).items()
    }


def _pending_header(group: Group) -> _Json:
    """The header of operations that change PostgREST's schema cache, if the group has one."""
    operations = [each for one in group.documents for each in one.operations.values()]
    if all(operation.changes is None for operation in operations):
        return {}
    return {
        "X-Tenantry-Pending": {
            "description": "Only if the Data API has not loaded the change yet: writes into it "
            "are refused for another moment.",
            "schema": {"type": "string", "const": "schema-cache"},
        }
    }


def _response(description: str, schema: _Json, **example: object) -> _Json:
    return {
        "description": description,
        "headers": {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}},
        "content": {"application/json": {"schema": schema, **example}},
    }


# Examples, composed from the examples of the fields -----------------------------------------


def _reply_example(operation: Operation, schema: _Json, schemas: _Json) -> Any:
    example = _example(schema, schemas)
    return {**example, **operation.reply_example} if operation.reply_example else example


def _example(schema: _Json, schemas: _Json) -> Any:
    """An example of a schema; an array gets one element."""
    schema = _resolved(schema, schemas)
    if "examples" in schema:
        return schema["examples"][0]
    if schema.get("type") == "array":
        return [_example(schema["items"], schemas)]
    required = schema.get("required", ())
    # An optional member without an example of its own is left out of a request, and a member
    # of a reply that may be null is null.
    return {
        name: None if _may_be_null(member) else _example(member, schemas)
        for name, member in schema.get("properties", {}).items()
        if name in required or "examples" in _resolved(member, schemas)
    }


def _resolved(schema: _Json, schemas: _Json) -> _Json:
    """The schema with what it refers to. Its own keywords come first."""
    named = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else {}
    return {**named, **schema}


def _may_be_null(member: _Json) -> bool:
    if "examples" in member:
        return False
    return "null" in member.get("type", ()) or {"type": "null"} in member.get("anyOf", ())
