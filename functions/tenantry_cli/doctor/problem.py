"""A problem: one finding of a check, with what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg

Connection = psycopg.Connection[dict[str, Any]]

# The checks name what may be intended by this prefix.
WARNING = "warning: "


@dataclass(frozen=True)
class Problem:
    kind: str
    object: str
    detail: str
    remediation: str
    # SQL; None if a person has to decide.
    repair: str | None = None
    # The tenant whose schema was checked. None if the problem is the platform's.
    tenant: str | None = None

    @property
    def is_warning(self) -> bool:
        return self.kind.startswith(WARNING)

    @property
    def is_final(self) -> bool:
        """A repair that cannot be undone needs a person's consent."""
        return self.kind == "tenant without schema"

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "object": self.object,
            "detail": self.detail,
            "remediation": self.remediation,
            "repair": self.repair,
            "is_repairable": self.repair is not None,
        }

    def is_same_as(self, other: Problem) -> bool:
        """Whether both are about the same object. Their details may differ."""
        return (self.kind, self.object) == (other.kind, other.object)


def lasting_problems(examine: Callable[[], list[Problem]]) -> list[Problem]:
    """The problems that two examinations find.

    Functions and tables of the catalog can show different moments. A tenant that is created
    or deleted during one examination can therefore look damaged once.
    """
    first = examine()
    if not first:
        return []
    return [
        problem for problem in examine() if any(problem.is_same_as(before) for before in first)
    ]
