"""The shapes that arguments and results share.

Shape only: whether a name is allowed, a user exists or a caller may, the database says.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    field_validator,
)
from pydantic_core import PydanticCustomError

DEEPEST_NESTING = 64


def storable(value: object, depth: int = 0) -> None:
    """Refuse what JSON can say and PostgreSQL cannot store."""
    if depth > DEEPEST_NESTING:
        raise PydanticCustomError("too_deep", "It is nested more than 64 levels deep")
    match value:
        case str():
            if "\0" in value:
                raise PydanticCustomError("nul", "It contains a NUL character")
            if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
                raise PydanticCustomError("surrogate", "It contains half a character")
        case list():
            for element in value:
                storable(element, depth + 1)
        case dict():
            for key, element in value.items():
                storable(key, depth + 1)
                storable(element, depth + 1)


class Arguments(BaseModel):
    """What a caller sends: exactly the parameters of the database function."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def is_storable(cls, value: object) -> object:
        storable(value)
        return value


class Result(BaseModel):
    """What a caller gets back: the columns of what the database function returns."""

    model_config = ConfigDict(frozen=True)


def iso_8601(value: object) -> object:
    # pydantic would also take a number, and guess whether it counts seconds or milliseconds.
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d[Tt ]", value):
        return value
    raise PydanticCustomError(
        "iso_8601", "It should be a time with its zone, such as 2027-01-31T12:00:00Z"
    )


Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""A point in time in results, passed on letter by letter as the database wrote it."""

Moment = Annotated[AwareDatetime, BeforeValidator(iso_8601, json_schema_input_type=Timestamp)]
"""A point in time in arguments. Without a zone it would mean whatever the server's zone is."""

Metadata = dict[str, JsonValue]
JsonObject = dict[str, Any]
"""What results pass on as the database keeps it, without a look inside."""

AccessLevel = Literal["read", "write", "admin"]
PlatformRole = Literal["viewer", "admin", "super_admin"]
TenantStatus = Literal["active", "suspended"]
