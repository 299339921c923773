"""The fields of a pydantic model, in a form that can be compared with SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel


@dataclass(frozen=True)
class Column:
    """One argument or one column, in a form that both sides share."""

    name: str
    kind: str


KINDS = {
    "text": "string",
    "uuid": "string uuid",
    "timestamp with time zone": "string date-time",
    "jsonb": "json",
    "boolean": "boolean",
    "integer": "integer",
    "bigint": "integer",
    "text[]": "array",
}


def fields(model: type[BaseModel]) -> list[Column]:
    schema = model.model_json_schema(mode="serialization")
    named = schema.get("$defs", {})
    return [Column(name, _kind(field, named)) for name, field in schema["properties"].items()]


def _kind(field: dict[str, Any], named: dict[str, Any]) -> str:
    """A field's choices, or its JSON type and format, without regard to null."""
    for choice in field.get("anyOf", [field]):
        if "$ref" in choice:
            return _kind(named[choice["$ref"].rpartition("/")[2]], {})
        if "enum" in choice:
            return ", ".join(choice["enum"])
        if _is_json(choice):
            return "json"
        if choice["type"] != "null":
            return " ".join(filter(None, [choice["type"], choice.get("format")]))
    raise AssertionError(f"{field} is always null")


def _is_json(choice: dict[str, Any]) -> bool:
    """An object, an array of objects or any value, which are jsonb in the database."""
    named = choice.get("items", choice)
    return "type" not in choice or choice["type"] == "object" or "$ref" in named
