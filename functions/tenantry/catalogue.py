"""The catalogue of operations: catalogue.json, which `tenantry generate` writes from sql/."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("catalogue.json")

CALLERS = (
    "anyone signed in",
    # By the domain of a confirmed address or an SSO provider.
    "user of a domain",
    "user with a confirmed address",
    "member",
    "member of a suspended tenant",
    "tenant admin",
    # Named by the argument user_id.
    "oneself",
    "platform viewer",
    "platform admin",
    "signed-in platform admin",
    "super_admin",
    "service key",
)
"""Who may call an operation. A higher level or role includes the lower ones."""


@dataclass(frozen=True)
class Parameter:
    name: str
    type: str
    # An SQL expression; None for a required parameter.
    default: str | None


@dataclass(frozen=True)
class CatalogueEntry:
    """One operation, as its function in SQL and the comment on that function describe it."""

    name: str
    group: str
    parameters: tuple[Parameter, ...]
    returns: str
    returns_set: bool
    is_stable: bool
    summary: str
    description: str
    callers: tuple[str, ...]
    errors: tuple[str, ...]
    source: str

    @property
    def signature(self) -> str:
        """The function with the types of its arguments, as SQL names it."""
        types = ", ".join(parameter.type for parameter in self.parameters)
        return f"public.{self.name}({types})"

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "CatalogueEntry":
        parameters = tuple(Parameter(**parameter) for parameter in entry["parameters"])
        lists = {"callers": tuple(entry["callers"]), "errors": tuple(entry["errors"])}
        return cls(**{**entry, **lists, "parameters": parameters})


@cache
def catalogue() -> Mapping[str, CatalogueEntry]:
    """The operations by name, sorted by group and name."""
    entries = map(CatalogueEntry.from_json, json.loads(_FILE.read_text()))
    return {entry.name: entry for entry in entries}
