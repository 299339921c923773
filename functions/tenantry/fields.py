"""The shapes that arguments and results share, with the examples that documents show.

Shape only: the database decides whether a name is allowed, a user exists and a caller may call.
"""

import re
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    field_validator,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

_DEEPEST_NESTING = 64


def _storable(value: object, depth: int = 0) -> None:
    """Refuses values that JSON can express and PostgreSQL cannot store."""
    if depth > _DEEPEST_NESTING:
        raise PydanticCustomError("too_deep", "It is nested more than 64 levels deep")
    match value:
        case str():
            if "\0" in value:
                raise PydanticCustomError("nul", "It contains a NUL character")
            if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
                raise PydanticCustomError("surrogate", "It contains half a character")
        case list():
            for element in value:
                _storable(element, depth + 1)
        case dict():
            for key, element in value.items():
                _storable(key, depth + 1)
                _storable(element, depth + 1)


# `defer_build`: a process starts sooner if the first call that needs a model builds it. A model
# does not build itself thread-safely, so calls use it through `operations.adapter` alone.


class Arguments(BaseModel):
    """The arguments of a caller: exactly the parameters of the database function."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @field_validator("*", mode="before")
    @classmethod
    def is_storable(cls, value: object) -> object:
        _storable(value)
        return value


class Result(BaseModel):
    """The reply to a caller: the columns of the database function's result."""

    model_config = ConfigDict(frozen=True, defer_build=True)


def _iso_8601(value: object) -> object:
    # pydantic would also take a number, and guess whether it counts seconds or milliseconds.
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d[Tt ]", value):
        return value
    raise PydanticCustomError(
        "iso_8601", "It should be a time with its zone, such as 2027-01-31T12:00:00Z"
    )


Timestamp = Annotated[
    str,
    Field(
        examples=["2026-11-23T09:00:00.820727+00:00"],
        json_schema_extra={"format": "date-time"},
    ),
]
"""A point in time in results, passed on as the database wrote it."""

Moment = Annotated[AwareDatetime, BeforeValidator(_iso_8601, json_schema_input_type=Timestamp)]
"""A point in time in arguments. Without a zone its meaning would depend on the server."""

_SCHEMA_NAME = Field(description="The name of the tenant's schema.", examples=["acme"])
SchemaName = Annotated[str, _SCHEMA_NAME]
OptionalSchemaName = Annotated[str | None, _SCHEMA_NAME]
TableName = Annotated[str, Field(description="A table of the tenant.", examples=["orders"])]
ColumnName = Annotated[
    str, Field(description="A column of the table.", examples=["customer_id"])
]
ColumnType = Annotated[
    str, Field(description="The type of the column in PostgreSQL.", examples=["uuid"])
]

UserId = Annotated[
    UUID,
    # In examples Bob, a member of the tenant acme.
    Field(
        description="The id of a user in Auth.",
        examples=["e41f8b7a-96c2-4d05-8e3f-1a7b5c9d0e62"],
    ),
]
"""A user whom an operation is about."""

ActorId = Annotated[
    UUID | None,
    # In examples Olga, a super_admin.
    Field(
        description="Who did it: the id of a user, or null for the service key or the owner.",
        examples=["0b6d1f4e-8a53-4c1e-9d57-2f0e6c3a9b10"],
    ),
]

HasMore = Annotated[
    bool,
    Field(
        description="Whether another row follows this one, on this page or on the next.",
        examples=[False],
    ),
]
PageSize = Annotated[StrictInt, Field(description="The largest number of rows in the reply.")]
PageCursor = Annotated[
    str | None, Field(description="The cursor of the last row of the previous page.")
]

# A type with a name has one schema in a document, and is one type in a generated client.

JsonObject = TypeAliasType(
    "JsonObject", Annotated[dict[str, Any], Field(description="An object with any members.")]
)
Metadata = Annotated[
    JsonObject,
    Field(description="What your product keeps on the user.", examples=[{"language": "en"}]),
]

AccessLevel = TypeAliasType(
    "AccessLevel",
    Annotated[
        Literal["read", "write", "admin"],
        Field(
            description="What a member may do in the tenant. A level includes those before it.",
            examples=["write"],
        ),
    ],
)
RoleName = Annotated[
    str,
    Field(
        description="The name of a role: lower-case letters, digits and underscores.",
        examples=["accountant"],
    ),
]
PermissionName = Annotated[
    str,
    Field(
        description="The name of a permission that the project has declared.",
        examples=["invoices.approve"],
    ),
]
PlatformRole = TypeAliasType(
    "PlatformRole",
    Annotated[
        Literal["viewer", "admin", "super_admin"],
        Field(
            description="What a member of the platform's staff may do. A role includes those "
            "before it.",
            examples=["viewer"],
        ),
    ],
)
TenantStatus = TypeAliasType(
    "TenantStatus",
    Annotated[
        Literal["active", "suspended"],
        Field(
            description="A suspended tenant is closed to everybody.",
            examples=["active"],
        ),
    ],
)

TenantDisplayName = Annotated[str, Field(examples=["Acme Inc."])]
