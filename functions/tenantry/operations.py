"""How a group declares its operations: a name, the arguments and the result of each."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, cast, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from tenantry.errors import InvalidRequestError
from tenantry.fields import Arguments
from tenantry.log import LONGEST_NAME

if TYPE_CHECKING:
    from tenantry.database import Database
    from tenantry.schema_cache import Change


@dataclass(frozen=True)
class Operation:
    """A database function of the same name, with the models of its arguments and result."""

    name: str
    arguments: type[Arguments]
    returns: Any
    # Members of the example reply for which the fields' own examples would be wrong.
    reply_example: Mapping[str, object] = field(default_factory=dict)
    # What a call changes in PostgREST's schema cache, from its arguments and its result.
    changes: "Callable[[Any, Any, Database], Iterable[Change]] | None" = None

    def well_formed(self, given: dict[str, object]) -> Arguments:
        try:
            return cast(Arguments, adapter(self.arguments).validate_python(given))
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
                return f"{_quoted(name)} is not an argument of {self.name}."
            case "missing", (name,):
                return f"{self.name} needs the argument {_quoted(name)}."
            case "extra_forbidden", (*entry, name):
                return f"{_quoted(name)} is not a member of {_quoted(*entry)} in {self.name}."
            case "missing", (*entry, name):
                return f"{_quoted(*entry)} in {self.name} needs the member {_quoted(name)}."
        place, reason = _quoted(*first["loc"]), first["msg"]
        return f"The argument {place} of {self.name} does not fit: {reason}."

    def _hint(self, place: tuple[int | str, ...]) -> str:
        if len(place) > 1:
            # Only list arguments have entries with a model of their own.
            (entry,) = get_args(self.arguments.model_fields[str(place[0])].annotation)
            return f"The members of {_quoted(*place[:2])}: {', '.join(entry.model_fields)}."
        names = ", ".join(self.arguments.model_fields) or "none"
        return f"The arguments of {self.name}: {names}."


class Group:
    """The operations behind one entry point."""

    def __init__(
        self,
        name: str,
        purpose: str | None,
        *operations: Operation,
        documents: "Sequence[Group]" = (),
    ) -> None:
        self.name = name
        self.purpose = purpose or ""
        self.operations = {operation.name: operation for operation in operations}
        # The groups that the group's OpenAPI document describes.
        self.documents = documents or (self,)


@cache
def adapter(model: Any) -> TypeAdapter[Any]:
    """Built once for each model: building an adapter costs more than a validation."""
    built = TypeAdapter(model)
    # The models defer it. Here it is complete before another thread can see the adapter.
    built.rebuild()
    return built


def _quoted(*place: int | str) -> str:
    """A place in the arguments, such as columns[0].type."""
    steps = (
        f"[{step}]" if isinstance(step, int) else f".{step[:LONGEST_NAME]}" for step in place
    )
    # Quoted as JSON: whatever the caller named stays readable and on one line.
    return json.dumps("".join(steps).removeprefix("."))
