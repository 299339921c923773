"""The parameters in the body of a request to Auth."""

import json
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ValidationError, model_validator

from tenantry_cli.emulator.auth_error import refused

_Model = TypeVar("_Model", bound="Parameters")

_LONGEST_NAME = 255


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("PostgreSQL cannot store the character U+0000")
    return text


def _storable_object(value: dict[str, Any]) -> dict[str, Any]:
    # Neither NaN nor Infinity is JSON, though pydantic reads both.
    json.dumps(value, allow_nan=False)
    _require_storable_texts(value)
    return value


def _require_storable_texts(value: Any) -> None:
    if isinstance(value, str):
        _storable(value)
    elif isinstance(value, list | dict):
        for part in value:
            _require_storable_texts(part)
        if isinstance(value, dict):
            _require_storable_texts([*value.values()])


def _short(name: str) -> str:
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"it is longer than {_LONGEST_NAME} characters")
    return name


# What the tables of Auth can store.
Text = Annotated[str, AfterValidator(_storable)]
Name = Annotated[Text, AfterValidator(_short)]
Metadata = Annotated[dict[str, Any], AfterValidator(_storable_object)]


class Parameters(BaseModel):
    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        """supabase-py sends null for what its caller left out."""
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if value is not None}


def parsed(model: type[_Model], text: bytes) -> _Model:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        message = f"{where}: {first['msg']}" if where else first["msg"]
        raise refused(400, "bad_json", f"Could not parse request body: {message}") from error
