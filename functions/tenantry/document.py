"""The OpenAPI document of a group, or of several: made from the models, the docstrings and
the errors, so that it says what they say.
"""

import inspect
import re
import sys
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from tenantry import __version__
from tenantry.database import adapter
from tenantry.endpoint import Group, Operation
from tenantry.errors import (
    MethodNotAllowedError,
    OperationNotFoundError,
    RefusedError,
    ServiceError,
)
from tenantry.examples import EXAMPLES
from tenantry.refusals import REFUSALS, Refusal
from tenantry.settings import SETTINGS

Json = dict[str, Any]

DESCRIPTION = """\
Every operation is a POST with its arguments as a JSON object, and answers with its result as \
JSON, or with an `Error` that has a code for the program, a sentence for the person and the \
request's id for the log. Every operation is also an RPC of the same name and arguments on \
the project's Data API. Who may call what the database decides."""

REQUEST_ID = (
    "Names the request in the reply, the logs and the audit log: 1 to 64 of A–Z, a–z, 0–9, "
    "`.`, `_` and `-`. Anything else is replaced, and so is nothing."
)

# What every operation may answer besides what its docstring names: everything of ours but
# what only an unknown address or method gets, and what a page defines for itself.
EVERYWHERE = [
    ("invalid_request", Refusal(400, "the database cannot take a value")),
    ("forbidden", REFUSALS["forbidden"]),
    *(
        (error.code, Refusal(error.status, error.__doc__ or ""))
        for error in ServiceError.__subclasses__()
        if error.__module__ == ServiceError.__module__
        and error not in {MethodNotAllowedError, OperationNotFoundError, RefusedError}
    ),
]


class Error(BaseModel):
    """What a caller gets instead of a result."""

    code: str = Field(description="For the program; it stays as it is.")
    message: str = Field(description="A sentence for a person.")
    hint: str | None = Field(description="What to do about it.")
    request_id: str = Field(description="Finds the request in the logs.")


class Health(BaseModel):
    """That a group runs, and what it has."""

    name: str
    version: str
    operations: list[str]


class WithoutTitles(GenerateJsonSchema):
    """A field's title would say its name again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def document(group: Group) -> Json:
    """What `group` answers at /openapi.json."""
    alone = group.documents == (group,)
    models, schemas = json_schemas(group)
    paths: Json = {}
    for documented in group.documents:
        root = "" if alone else f"/{documented.name}"
        paths[f"{root}/"] = {"get": health(documented)}
        for operation in documented.operations.values():
            paths[f"{root}/{operation.name}"] = {"post": post(documented, operation, models)}
    return {
        "openapi": "3.1.1",
        "info": {
            "title": f"Tenantry: {group.name}" if alone else "Tenantry",
            "version": __version__,
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": server(group, alone)}],
        "security": [{"bearer": []}],
        "tags": [{"name": each.name, "description": purpose(each)} for each in group.documents],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": {
                "X-Request-Id": {
                    "name": "X-Request-Id",
                    "in": "header",
                    "description": REQUEST_ID,
                    "schema": {"type": "string"},
                    "example": "order-66",
                }
            },
            "headers": {
                "X-Request-Id": {
                    "description": "The request's id, the caller's or a new one.",
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


def server(group: Group, alone: bool) -> str:
    if SETTINGS.functions_url is None:
        # Relative to where the document was found. A proxy in front may have another name
        # and other paths, so the request does not tell.
        return "." if alone else ".."
    return f"{SETTINGS.functions_url}/{group.name}" if alone else SETTINGS.functions_url


def purpose(group: Group) -> str:
    """What the docstring of the group's module says after its name."""
    first = next(iter(group.operations.values()))
    text = inspect.getdoc(sys.modules[first.function.__module__]) or ""
    return text.removeprefix(f"{group.name}: ")


def json_schemas(group: Group) -> tuple[Mapping[tuple[str, str], Json], Json]:
    """The schema of each operation's arguments and result, and those they refer to."""
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
        inputs, ref_template="#/components/schemas/{model}", schema_generator=WithoutTitles
    )
    return models, definitions["$defs"]  # type: ignore[return-value]


def health(group: Group) -> Json:
    return {
        "operationId": f"{group.name.replace('-', '_')}_health",
        "summary": f"Whether {group.name} runs.",
        "description": "Its version and operations, for health checks. It asks nobody else.",
        "tags": [group.name],
        "security": [],
        "responses": {
            "200": response(
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


def post(group: Group, operation: Operation, models: Mapping[tuple[str, str], Json]) -> Json:
    summary, description, codes = told(operation)
    example = EXAMPLES[operation.name]
    return {
        "operationId": operation.name,
        "summary": summary,
        "description": description,
        "tags": [group.name],
        "parameters": [{"$ref": "#/components/parameters/X-Request-Id"}],
        "requestBody": {
            # Nothing at all means no arguments.
            "required": any(
                field.is_required() for field in operation.arguments.model_fields.values()
            ),
            "content": {
                "application/json": {
                    "schema": models[operation.name, "validation"],
                    "example": example.request,
                }
            },
        },
        "responses": {
            "200": response(
                "The result.", models[operation.name, "serialization"], example=example.reply
            ),
            **refusals(codes),
        },
    }


def told(operation: Operation) -> tuple[str, str, list[str]]:
    """The docstring of the function in three: summary, description, codes of its errors."""
    summary, _, comment = (inspect.getdoc(operation.function) or "").partition("\n\n")
    description, _, codes = " ".join(comment.split()).rpartition(" Errors: ")
    return summary, description, re.findall(r"\w+", codes)


def refusals(codes: list[str]) -> Json:
    """The replies of an operation that the database refuses with `codes`, by status."""
    reasons: dict[int, dict[str, str]] = {}
    for code, (status, when) in [*((code, REFUSALS[code]) for code in codes), *EVERYWHERE]:
        reasons.setdefault(status, {}).setdefault(code, when)
    return {str(status): refusal(status, reasons[status]) for status in sorted(reasons)}


def refusal(status: int, reasons: Mapping[str, str]) -> Json:
    described = "\n".join(f"- `{code}`: {when}" for code, when in reasons.items())
    reply = response(
        described,
        {
            "allOf": [
                {"$ref": "#/components/schemas/Error"},
                {"properties": {"code": {"enum": [*reasons]}}},
            ]
        },
    )
    for name, value in ServiceError.HEADERS.get(status, {}).items():
        reply["headers"][name] = {
            "required": True,
            "schema": {"type": "string", "const": value},
        }
    return reply


def response(description: str, schema: Json, **example: object) -> Json:
    return {
        "description": description,
        "headers": {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}},
        "content": {"application/json": {"schema": schema, **example}},
    }
