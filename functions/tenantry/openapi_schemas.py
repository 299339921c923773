"""The schemas of an OpenAPI document, in the form from which generators make usable clients."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from tenantry.operations import Group, adapter

_Json = dict[str, Any]
Models = Mapping[tuple[str, str], _Json]
"""The schema of each operation's arguments ("validation") and result ("serialization")."""


class _Schemas(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:
        # The title would repeat the name of the field.
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        # An example of the value is no example of the field, which is null in most examples.
        inner.pop("examples", None)
        if isinstance(inner.get("type"), str):
            return {**inner, "type": [inner["type"], "null"]}
        return {"anyOf": [inner, {"type": "null"}]}


def schemas_of(group: Group, *others: type[BaseModel]) -> tuple[Models, _Json]:
    """The schemas of a group's operations and of other models, and those they name."""
    inputs: list[Any] = [
        (other.__name__, "serialization", TypeAdapter(other)) for other in others
    ]
    arguments = {}
    for documented in group.documents:
        for operation in documented.operations.values():
            inputs += [
                (operation.name, "validation", adapter(operation.arguments)),
                (operation.name, "serialization", adapter(operation.returns)),
            ]
            arguments[operation.arguments.__name__] = f"The arguments of {operation.name}."
    models, definitions = TypeAdapter.json_schemas(
        inputs, ref_template="#/components/schemas/{model}", schema_generator=_Schemas
    )
    named: _Json = definitions["$defs"]
    for name, schema in named.items():
        if name in arguments:
            schema["description"] = arguments[name]
        for member in schema.get("properties", {}).values():
            _describe_default(member)
    return models, named  # type: ignore[return-value]


def _describe_default(member: _Json) -> None:
    """Says in words which value the database takes for a missing argument.

    A generator takes a member with a `default`, null included, for one that is always there:
    callers would have to pass it.
    """
    default = member.pop("default", None)
    if default is not None:
        described = f"{member.get('description', '')} Default: `{json.dumps(default)}`."
        member["description"] = described.strip()
