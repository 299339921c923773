"""The OpenAPI document of a group, or of several groups.

It is made from the models, the table of errors and catalogue.json, so it agrees with them.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from tenantry import __version__
from tenantry.catalogue import catalogue
from tenantry.errors import ERROR_CODES, ErrorCode, ServiceError
from tenantry.operations import Group, Operation, adapter
from tenantry.settings import SETTINGS

_Json = dict[str, Any]
_Models = Mapping[tuple[str, str], _Json]

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
    (503, "busy"),
    (504, "upstream_timeout"),
}


class Error(BaseModel):
    """The reply to a request that failed."""

    code: str = Field(description="For the program; a code never changes its meaning.")
    message: str = Field(description="A sentence for a person.")
    hint: str | None = Field(description="What the person can do.")
    request_id: str = Field(description="Finds the request in the logs.")


class Health(BaseModel):
    """The reply of a group that runs."""

    name: str
    version: str
    operations: list[str]


class _WithoutTitles(GenerateJsonSchema):
    """Leaves out the titles of fields, which repeat the fields' names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def document(group: Group) -> _Json:
    """The document that `group` serves at /openapi.json."""
    alone = group.documents == (group,)
    models, schemas = _json_schemas(group)
    paths: _Json = {}
    for documented in group.documents:
        root = "" if alone else f"/{documented.name}"
        paths[f"{root}/"] = {"get": _health(documented)}
        for operation in documented.operations.values():
            post = _post(documented, operation, models, schemas)
            paths[f"{root}/{operation.name}"] = {"post": post}
    return {
        "openapi": "3.1.1",
        "info": {
            "title": f"Tenantry: {group.name}" if alone else "Tenantry",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": _server(group, alone)}],
        "security": [{"bearer": []}],
        "tags": [{"name": each.name, "description": each.purpose} for each in group.documents],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": {
                "X-Request-Id": {
                    "name": "X-Request-Id",
                    "in": "header",
                    "description": _REQUEST_ID,
                    "schema": {"type": "string"},
                    "example": "order-66",
                }
            },
            "headers": {
                "X-Request-Id": {
                    "description": "The request's id: the caller's or a generated one.",
                    "required": True,
                    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
                }
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


def _json_schemas(group: Group) -> tuple[_Models, _Json]:
    """The schema of each operation's arguments and result, and the schemas they refer to."""
    inputs: list[Any] = [
        ("Error", "serialization", TypeAdapter(Error)),
        ("Health", "serialization", TypeAdapter(Health)),
    ]
    for documented in group.documents:
        for operation in documented.operations.values():
            inputs += [
                (operation.name, "validation", adapter(operation.arguments)),
                (operation.name, "serialization", adapter(operation.returns)),
            ]
    models, definitions = TypeAdapter.json_schemas(
        inputs, ref_template="#/components/schemas/{model}", schema_generator=_WithoutTitles
    )
    return models, definitions["$defs"]  # type: ignore[return-value]


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
            )
        },
    }


def _post(group: Group, operation: Operation, models: _Models, schemas: _Json) -> _Json:
    entry = catalogue()[operation.name]
    request = models[operation.name, "validation"]
    reply = models[operation.name, "serialization"]
    callers = f"Callers: {', '.join(entry.callers)}."
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
            "200": _response(
                "The result.", reply, example=_reply_example(operation, reply, schemas)
            ),
            **_refusals(entry.errors),
        },
    }


def _refusals(codes: tuple[str, ...]) -> _Json:
    """The error replies of an operation whose comment names `codes`, by status."""
    reasons: dict[int, list[ErrorCode]] = {}
    for error in ERROR_CODES:
        if error.data_api_only:
            continue
        if error.code in codes or (error.status, error.code) in _EVERYWHERE:
            reasons.setdefault(error.status, []).append(error)
    return {str(status): _refusal(status, reasons[status]) for status in sorted(reasons)}


def _refusal(status: int, reasons: list[ErrorCode]) -> _Json:
    described = "\n".join(f"- `{error.code}`: {error.when} {error.remedy}" for error in reasons)
    reply = _response(
        described,
        {
            "allOf": [
                {"$ref": "#/components/schemas/Error"},
                {"properties": {"code": {"enum": [error.code for error in reasons]}}},
            ]
        },
    )
    for name, value in ServiceError.HEADERS.get(status, {}).items():
        reply["headers"][name] = {
            "required": True,
            "schema": {"type": "string", "const": value},
        }
    return reply


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
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
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
        if name in required or "examples" in member
    }


def _may_be_null(member: _Json) -> bool:
    return "examples" not in member and {"type": "null"} in member.get("anyOf", ())
