"""A problem: what is wrong, in a sentence, and its remediation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import psycopg
from psycopg import sql

Connection = psycopg.Connection[dict[str, Any]]


class Priority(IntEnum):
    """The order of repairs.

    An outage of the whole Data API comes first, then access that nobody should have, then
    what is missing.
    """

    OUTAGE = 0
    GUARD = 1
    REGISTRY = 2
    EXCESS_ACCESS = 3
    INCOMPLETE = 4
    EXPOSURE = 5


@dataclass(frozen=True)
class Problem:
    kind: str
    object: str
    sentence: str
    remediation: str
    priority: Priority = Priority.INCOMPLETE
    # Empty if a person has to decide.
    repair: tuple[sql.SQL | sql.Composed, ...] = field(default=(), repr=False)
    # A repair that cannot be undone needs a person's consent.
    is_final: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "object": self.object,
            "sentence": self.sentence,
            "remediation": self.remediation,
            "is_repairable": bool(self.repair),
        }

    def is_same_as(self, other: Problem) -> bool:
        """Whether both are about the same object. Their sentences may differ."""
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


def call(function: str, *arguments: str) -> sql.Composed:
    """The repair `select tenancy.<function>(…)`."""
    return sql.SQL("select {}({})").format(
        sql.Identifier("tenancy", function), sql.SQL(", ").join(map(sql.Literal, arguments))
    )
